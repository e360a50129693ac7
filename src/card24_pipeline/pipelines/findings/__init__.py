"""What all seeds and arms say together."""
