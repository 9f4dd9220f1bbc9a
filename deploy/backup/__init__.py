"""Backup of every service's database as of one instant, and its restore.

Manages: BSON files and a manifest. Never: Kafka's log, which the outboxes refill; keys; settings.
"""
