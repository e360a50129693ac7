"""RLOO (arXiv 2402.14740), by TRL's ``RLOOTrainer``."""

from functools import partial

from card24_pipeline.training.group_relative import GroupAlgorithm, train_group_relative
from card24_pipeline.training.rl_run import Trainer

RLOO = GroupAlgorithm("RLOO", {"normalize_advantages": False}, always_reads_old=True)  # as published

train: Trainer = partial(train_group_relative, algorithm=RLOO)
