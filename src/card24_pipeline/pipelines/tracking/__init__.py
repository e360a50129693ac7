"""The study, published for comparison."""
