"""One file for each method, found by its name."""
