"""Checkpoint folders: reading, writing, naming their tensors."""
