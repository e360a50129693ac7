"""What all seeds say together."""
