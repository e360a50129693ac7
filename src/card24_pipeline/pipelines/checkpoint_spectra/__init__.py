"""Spectra as a tool for anyone's checkpoints."""
