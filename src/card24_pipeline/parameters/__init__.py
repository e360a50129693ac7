"""What parameters of several pipelines share."""
