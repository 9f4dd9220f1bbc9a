"""`kith`: the command line for people who run and look after the services."""
