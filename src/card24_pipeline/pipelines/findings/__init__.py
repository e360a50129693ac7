"""What all replicates and arms say together."""
