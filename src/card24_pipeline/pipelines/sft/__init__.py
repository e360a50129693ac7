"""Supervised fine-tuning, its scores and the selection of checkpoints."""
