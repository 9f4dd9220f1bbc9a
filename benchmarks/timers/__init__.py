"""What the clock brings about: how fast what is due is announced, and what it costs when nothing is."""
