"""A coordinator's view of one person, folded from the services' events. Pure."""
