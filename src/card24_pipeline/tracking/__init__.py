"""A study as runs of MLflow."""
