"""The development signing key of one data folder, and the public half the services read."""
