"""Compares the topics and rights of a Kafka cluster with the declared ones, and applies those."""
