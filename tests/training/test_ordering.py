from hypothesis import given
from hypothesis import strategies as st

from card24_pipeline.training.ordering import order_examples

lengths_lists = st.lists(st.integers(1, 9), min_size=1, max_size=30)
steps_counts, batch_sizes, seeds = st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1)


def cut(order, size):
    return [order[start : start + size] for start in range(0, len(order), size)]


@given(lengths_lists, steps_counts, batch_sizes, seeds)
def test_every_batch_is_sorted_by_length(lengths, steps, batch_size, seed):
    order = order_examples(lengths, steps=steps, batch_size=batch_size, seed=seed)
    assert len(order) == steps * batch_size
    for batch in cut(order, batch_size):
        tokens = [lengths[index] for index in batch]
        assert tokens == sorted(tokens)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), seeds)
def test_each_epoch_shows_every_example_once(batches_per_epoch, batch_size, epochs, seed):
    lengths = [1 + index % 4 for index in range(batches_per_epoch * batch_size)]
    order = order_examples(lengths, steps=batches_per_epoch * epochs, batch_size=batch_size, seed=seed)
    for epoch in cut(order, len(lengths)):
        assert sorted(epoch) == list(range(len(lengths)))


@given(lengths_lists, steps_counts, batch_sizes, seeds)
def test_counts_of_examples_differ_by_one_at_most(lengths, steps, batch_size, seed):
    order = order_examples(lengths, steps=steps, batch_size=batch_size, seed=seed)
    counts = [order.count(index) for index in range(len(lengths))]
    assert max(counts) - min(counts) <= 1


@given(lengths_lists, steps_counts, batch_sizes, seeds)
def test_who_shares_a_batch_does_not_depend_on_length(lengths, steps, batch_size, seed):
    settings = {"steps": steps, "batch_size": batch_size, "seed": seed}
    order, other = (order_examples(given, **settings) for given in (lengths, [1] * len(lengths)))
    assert [sorted(batch) for batch in cut(order, batch_size)] == [sorted(batch) for batch in cut(other, batch_size)]


@given(lengths_lists, seeds)
def test_a_longer_run_begins_like_a_shorter_one(lengths, seed):
    short, long = (order_examples(lengths, steps=steps, batch_size=4, seed=seed) for steps in (3, 9))
    assert long[: len(short)] == short


def test_order_depends_on_the_seed():
    lengths = [5] * 50
    first, same, other = (order_examples(lengths, steps=5, batch_size=10, seed=seed) for seed in (1, 1, 2))
    assert first == same != other
