"""What results were made of and with."""
