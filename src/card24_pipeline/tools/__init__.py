"""Tools for anyone's checkpoints."""
