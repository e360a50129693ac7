"""GRPO (arXiv 2402.03300), by TRL's ``GRPOTrainer``."""

from functools import partial

from card24_pipeline.training.group_relative import GroupAlgorithm, train_group_relative
from card24_pipeline.training.rl_run import Trainer

# As in our PPO, every token weighs the same (a mean over each answer would favour short right and long wrong ones) and
# advantages are scaled over the update: a deviation of the group's own would make easy and hard hands loudest.
GRPO = GroupAlgorithm("GRPO", {"loss_type": "dapo", "scale_rewards": "batch", "use_bias_correction_kl": True})

train: Trainer = partial(train_group_relative, algorithm=GRPO)
