"""Kedro datasets of the pipeline."""
