"""Intake consumes no events."""

from shared.messaging.reactions import Reactions

REACTIONS = Reactions({})
