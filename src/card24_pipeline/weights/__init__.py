"""Edits and spectra of whole checkpoints."""
