"""What a coordinator sees of one person, folded from what the services announced. Pure."""
