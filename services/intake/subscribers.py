"""What intake listens to: nothing. It is where stories begin."""

from shared.messaging.reactions import Reactions

REACTIONS = Reactions({})
