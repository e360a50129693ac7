"""Parameters that several pipelines read."""
