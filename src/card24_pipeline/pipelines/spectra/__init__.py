"""How the weights moved."""
