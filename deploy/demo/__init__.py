"""Whole courses of care with simulated people, played by `kith demo`."""

WEEKS = 34
"""Default length: sixteen sessions with room for misses and holds, and three months of maintenance."""
