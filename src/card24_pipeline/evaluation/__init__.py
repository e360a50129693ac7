"""Generation, scoring, statistics and counted costs."""
