"""Edits of a checkpoint toward a donor: a method is one file in ``methods/``."""
