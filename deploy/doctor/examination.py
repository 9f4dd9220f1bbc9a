"""All checks of one service in production, in the order in which to fix what they find."""

import asyncio
from collections.abc import Mapping

from deploy.doctor import kafka, keys, mongodb, reading, ways_out
from deploy.embedded.diagnosis import Check


async def examine(service: str, variables: Mapping[str, str], *, deep: bool) -> list[Check]:
    """Run all checks; skip the others if the service would not start with its settings."""
    settings, found = reading.read(service, variables)
    if settings is None:
        return found
    looks = (
        keys.checks(settings),
        mongodb.checks(settings, service),
        kafka.checks(settings, service),
        ways_out.checks(settings, deep=deep),
    )
    for checks in await asyncio.gather(*looks):
        found += checks
    return found
