"""Curves, contrasts, verdicts, figures and pages."""
