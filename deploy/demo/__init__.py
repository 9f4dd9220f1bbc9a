"""Whole courses of care by people who do not exist, as `kith demo` plays them."""

WEEKS = 34
"""How long a demo lasts: sixteen sessions with room for misses and holds, and three months of maintenance."""
