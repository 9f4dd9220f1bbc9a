"""Alerts: people are notified, again and again, until a human takes the alert.

Owns: alerts, the on-call policy, deliveries, acknowledgements, obligations.
Reacts to: crisis flags; phases, sessions, reviews and measures that need a person; dead letters.
Announces: alerts raised, joined, notified, escalated, acknowledged, handed over, assessed, resolved.
Never: mutes or lowers a crisis, ends one without a disposition, or tells a channel who it is about.
"""
