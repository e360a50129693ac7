"""Errors of the game's rules: each names what was wrong and what was expected."""


class GameError(ValueError):
    """A hand, rank, rule, target or reward that the game does not know."""


class IllegalExpressionError(GameError):
    """A text that the expression grammar does not accept, or that divides by zero."""
