"""Faults under load: `python -m tests.chaos` (see docs/reliability.md)."""
