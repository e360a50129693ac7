"""Edits of End, scored."""
