"""What the study is called and how it is told."""
