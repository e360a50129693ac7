"""Numerics of singular vectors and values."""
