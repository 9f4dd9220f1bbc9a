"""What the dashboard announces: nothing."""
