import pytest
from pydantic import ValidationError

from card24_pipeline.training.language_modelling import ScheduleParams

VALUES = {
    "steps": 6,
    "batch_size": 4,
    "micro_batch_size": 4,
    "learning_rate": 0.01,
    "learning_rate_shape": "constant",
    "warmup_steps": 2,
    "weight_decay": 0.0,
    "adam_beta2": 0.99,
    "max_gradient_norm": 1.0,
    "resume_every_steps": 4,
    "log_every_steps": 2,
}


def test_sound_values_pass():
    assert ScheduleParams(**VALUES).model_dump() == VALUES


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("steps", "6"),
        ("steps", 6.0),
        ("steps", True),
        ("batch_size", -4),
        ("learning_rate", 0),
        ("learning_rate", "fast"),
        ("learning_rate_shape", "linear"),
        ("warmup_steps", -1),
        ("weight_decay", -0.1),
        ("adam_beta2", 1.0),
        ("max_gradient_norm", 0.0),
        ("momentum", 0.9),
    ],
)
def test_wrong_values_are_refused_by_name(name, value):
    with pytest.raises(ValidationError) as caught:
        ScheduleParams(**{**VALUES, name: value})
    assert [error["loc"] for error in caught.value.errors()] == [(name,)]


@pytest.mark.parametrize(("batch", "micro"), [(4, 3), (4, 8)])
def test_batches_must_split_evenly(batch, micro):
    with pytest.raises(ValidationError, match=f"batch_size {batch} is no multiple of micro_batch_size {micro}"):
        ScheduleParams(**{**VALUES, "batch_size": batch, "micro_batch_size": micro})


def test_states_must_be_saved_where_a_logging_interval_ends():
    with pytest.raises(ValidationError, match="resume_every_steps 4 is no multiple of log_every_steps 3"):
        ScheduleParams(**{**VALUES, "log_every_steps": 3})


def test_an_annealed_rate_must_be_warm_before_it_falls():
    sound = ScheduleParams(**{**VALUES, "learning_rate_shape": "annealed"})
    assert sound.annealed_steps == 2
    with pytest.raises(ValidationError, match="warmup_steps 5 leaves no room for 2 annealed steps of 6"):
        ScheduleParams(**{**VALUES, "learning_rate_shape": "annealed", "warmup_steps": 5})
