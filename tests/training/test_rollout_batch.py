import pytest
import torch

from card24_pipeline.training.rl_run import Hand
from card24_pipeline.training.rollout_batch import collate_episodes
from card24_pipeline.training.rollouts import Episode


def make_episode(identity, ids, turns, rewards, *, truncated=False):
    sampled = sum(turn >= 0 for turn in turns)
    return Episode(
        Hand(identity, f"card {identity}", "a prompt", (1,), 24),
        ids,
        turns,
        [-identity - 0.5**place for place in range(1, sampled + 1)],
        rewards,
        truncated=truncated,
    )


# One turn; two turns with one token in the second; a truncated one that goes on to a question.
ONE = make_episode(1, [5, 6, 7, 8, 0], [-1, -1, 0, 0, 0], [2.5])
TWO = make_episode(2, [5, 6, 9, 0, 1, 5, 6, 3], [-1, -1, -1, 0, 0, -1, -1, 1], [-1.0, 4.0])
CUT = make_episode(3, [5, 6, 7, 4, 5, 6, 9], [-1, -1, -1, 0, -1, -1, -1], [-3.0], truncated=True)


@pytest.fixture
def batch():
    return collate_episodes([ONE, TWO, CUT])


class TestRows:
    def test_all_tensors_are_where_they_are_asked_for(self):
        batch = collate_episodes([ONE, TWO, CUT], device=torch.device("meta"))
        assert {each.device.type for each in vars(batch).values() if isinstance(each, torch.Tensor)} == {"meta"}

    def test_conversations_are_padded_on_the_right(self, batch):
        assert batch.input_ids.tolist() == [ONE.ids + [0] * 3, TWO.ids, [*CUT.ids, 0]]
        assert batch.lengths.tolist() == [5, 8, 7]

    def test_only_what_the_policy_said_is_marked_as_sampled(self, batch):
        marks = [[place for place, mark in enumerate(row) if mark] for row in batch.sampled.tolist()]
        assert marks == [[2, 3, 4], [3, 4, 7], [3]]

    def test_sampled_tokens_move_to_the_left(self, batch):
        assert batch.valid.tolist() == [[True] * 3, [True] * 3, [True, False, False]]

    def test_each_turn_earns_its_reward_at_its_last_token(self, batch):
        assert batch.rewards.tolist() == [[0, 0, 2.5], [0, -1, 4], [-3, 0, 0]]
        assert batch.ends_turn.tolist() == [[False, False, True], [False, True, True], [True, False, False]]

    def test_turns_that_follow_at_once_are_kept_apart(self):
        batch = collate_episodes([make_episode(4, [1, 2, 3, 4], [-1, 0, 1, 1], [1.0, 2.0])])
        assert batch.ends_turn.tolist() == [[True, False, True]]
        assert batch.rewards.tolist() == [[1, 0, 2]]

    def test_truncated_episodes_are_known(self, batch):
        assert batch.truncated.tolist() == [False, False, True]

    def test_order_of_the_flat_rows_is_by_episode_and_then_by_time(self, batch):
        assert batch.tokens == 7
        assert batch.sampler_log_probabilities.tolist() == [-1.5, -1.25, -1.125, -2.5, -2.25, -2.125, -3.5]
        assert batch.input_ids[batch.sampled].tolist() == [7, 8, 0, 0, 1, 3, 4]
        assert batch.rewards[batch.valid].tolist() == [0, 0, 2.5, 0, -1, 4, -3]

    def test_types(self, batch):
        assert batch.input_ids.dtype == batch.lengths.dtype == torch.int64
        assert batch.rewards.dtype == batch.sampler_log_probabilities.dtype == torch.float32
        masks = (batch.sampled, batch.valid, batch.ends_turn, batch.truncated)
        assert {mask.dtype for mask in masks} == {torch.bool}


def test_a_token_names_its_hand(batch):
    names = [batch.name_hand(token) for token in range(batch.tokens)]
    assert names == ["hand 1 (card 1)"] * 3 + ["hand 2 (card 2)"] * 3 + ["hand 3 (card 3)"]


def test_values_are_there_if_the_sampler_looked(batch):
    assert batch.sampler_values is None
    looked = make_episode(4, [5, 6, 7], [-1, 0, 0], [1.0])
    looked.sampler_values += [0.5, 0.25]
    assert collate_episodes([looked]).sampler_values.tolist() == [0.5, 0.25]


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="no episodes: the batch is empty"):
        collate_episodes([])
