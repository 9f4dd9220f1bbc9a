"""Timers: how fast due ones are announced, and the cost of a tick when none is due."""
