"""The nodes and how they are wired."""
