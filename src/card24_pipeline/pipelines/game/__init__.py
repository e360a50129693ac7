"""Hands, their splits and the examples made of them."""
