"""Figures that tests have measured, shown at the end of the run."""

SHOWN = "shown"
"""The name of a test's property that is a line for the end of the run."""
