from card24_pipeline.versioning.driver_view import Progress, RunningStage, describe_seconds, draw_running, summarise
from card24_pipeline.versioning.stage_logs import read_error, read_last_line, tells_of_full_disk, tells_of_run

FAILED = """\
Running stage 'train':
> kedro run --nodes=train
Traceback (most recent call last):
  File "train.py", line 3, in train
card24.errors.TrainingError: loss is nan at step 7

ERROR: failed to reproduce 'train': failed to run: kedro run --nodes=train, exited with 1
"""


def write_log(tmp_path, text):
    log = tmp_path / "stage.log"
    log.write_bytes(text.encode())
    return log


def test_the_last_state_of_a_bar_is_the_last_line(tmp_path):
    log = write_log(tmp_path, "start\n\x1b[32mSFT:  10%|#  | 1/10\x1b[0m\rSFT:  20%|## | 2/10\r")
    assert read_last_line(log) == "SFT:  20%|## | 2/10"
    assert read_last_line(tmp_path / "missing.log") == ""


def test_an_error_is_the_last_line_that_names_one(tmp_path):
    assert read_error(write_log(tmp_path, FAILED)) == "card24.errors.TrainingError: loss is nan at step 7"
    plain = "Running stage 'x':\nsh: x: not found\nERROR: failed to reproduce 'x': failed to run: x, exited with 127\n"
    assert read_error(write_log(tmp_path, plain)) == "sh: x: not found"
    assert read_error(write_log(tmp_path, "Error: params.yaml: seeds: expected a list\n")).startswith("Error: params")
    assert read_error(write_log(tmp_path, "")) == "no output"


def test_a_full_disk_is_known_by_the_words_of_the_system(tmp_path):
    assert tells_of_full_disk(write_log(tmp_path, "OSError: [Errno 28] No space left on device: 'x'\n"))
    assert not tells_of_full_disk(write_log(tmp_path, FAILED))


def test_a_stage_that_came_from_the_run_cache_did_not_run(tmp_path):
    assert tells_of_run(write_log(tmp_path, FAILED))
    assert not tells_of_run(write_log(tmp_path, "Stage 'train' is cached - skipping run, checking out outputs\n"))


def test_times_and_standing_in_words():
    assert [describe_seconds(seconds) for seconds in (0.4, 59, 60, 3570, 12000)] == [
        "0 s",
        "59 s",
        "1 min",
        "1 h 00 min",
        "3 h 20 min",
    ]
    assert Progress(6, 1, 42, 660.0).describe() == "stage 7 of 42, about 11 min left"
    assert Progress(42, 0, 42, None).describe() == "stage 42 of 42"
    assert summarise(61.0, {"ran": 3, "up to date": 39, "failed": 0}) == "42 stages in 1 min: 3 ran, 39 up to date"


def test_each_running_stage_has_a_line_with_its_own_bar(tmp_path):
    log = write_log(tmp_path, "\rSFT:  20%|## | 2/10")
    running = [RunningStage("seed_0/train_sft", log, 0.0), RunningStage("deal", tmp_path / "none", 30.0)]
    assert draw_running(running, 40.0) == [
        "seed_0/train_sft       40 s  SFT:  20%|## | 2/10",
        "deal                   10 s",
    ]
