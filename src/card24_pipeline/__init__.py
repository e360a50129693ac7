"""A Kedro, DVC and MLflow pipeline for the 24-point study of SFT, RL and their recovery."""

__version__ = "0.1.0"
