"""The card game, in plain Python."""
