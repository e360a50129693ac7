"""From graded hands and measured weights to estimates, statements and verdicts."""
