"""The study as its readers meet it: its words, and the figures of its readme."""
