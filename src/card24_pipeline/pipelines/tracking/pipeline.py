"""The study in MLflow."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.findings.reading import STUDY_PARAMETERS
from card24_pipeline.page.reports import REPORTS
from card24_pipeline.page.sections import FIGURE_KEYS
from card24_pipeline.pipelines.tracking.publish_study import FRAMES, publish_study

FILES = ("claims@file", "models@file", "estimates@file", "rl_runs@file", "accuracy_by_step@file", "edit_points@file")


def create_pipeline() -> Pipeline:
    """Wire the tracking pipeline."""
    return Pipeline(
        [
            Node(
                publish_study,
                inputs={
                    "store": "tracking_store",
                    "estimates": "estimates@table",
                    "metrics": "study_metrics",
                    **{name: f"{name}@all" for name in FRAMES},
                    "seeds": "params:seeds",
                    **{name: f"params:{name}" for name in STUDY_PARAMETERS},
                    **{f"{name.partition('@')[0]}_file": name for name in (*FILES, "study_page@file")},
                    **{f"{name}_report": f"{name}@path" for name in REPORTS},
                    **{f"{key}_figure": f"{key}_figure" for key in FIGURE_KEYS},
                },
                outputs="published",
                name="publish_study",
                namespace="tracking",
            )
        ]
    )
