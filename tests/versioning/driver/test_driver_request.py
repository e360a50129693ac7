import pytest

from card24_pipeline.versioning.driver_request import choose_jobs
from card24_pipeline.versioning.settings import StagesSettings

SETTINGS = StagesSettings(threads="threads", device="device")


@pytest.mark.parametrize(
    ("parameters", "jobs"),
    [
        ({"threads": 1, "device": "cpu"}, 8),
        ({"threads": 3, "device": "cpu"}, 2),
        ({"threads": 16, "device": "cpu"}, 1),
        ({"threads": 1, "device": "cuda"}, 1),
        ({"threads": 1, "device": "auto"}, 1),
        ({"threads": "many", "device": "cpu"}, 1),
        ({"threads": 0}, 1),
        ({}, 8),
    ],
)
def test_stages_side_by_side_share_the_cores_and_no_other_device(parameters, jobs):
    assert choose_jobs(SETTINGS, parameters, cores=8) == jobs


def test_without_such_parameters_each_core_has_a_stage():
    assert choose_jobs(StagesSettings(), {"threads": 4, "device": "cuda"}, cores=8) == 8
