"""Backup of every service's database as of one instant, and its way back.

Manages: files of BSON beside a manifest. Never: Kafka's log, which the outboxes refill; keys; settings.
"""
