"""The dashboard's own events: none."""
