"""Checks, from where a service runs, for anything that would keep it from working in production.

Looks at: settings, keys, certificates, MongoDB, Kafka, outgoing connections. Never: makes a lasting change.
"""
