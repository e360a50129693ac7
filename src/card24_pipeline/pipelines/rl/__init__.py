"""Reinforcement learning from the selected checkpoints."""
