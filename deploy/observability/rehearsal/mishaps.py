"""Faults injected in a rehearsal, so that the error panels have something to show."""

import asyncio

from aiokafka import AIOKafkaProducer

from deploy.embedded.stack import Stack


async def mishaps(stack: Stack, seconds: float) -> None:
    """Over `seconds`, kill MongoDB, kill alerts and publish a torn message."""
    part = seconds / 4
    for happen in (kill_mongod, kill_alerts, tear_a_message):
        await asyncio.sleep(part)
        await happen(stack)


async def kill_mongod(stack: Stack) -> None:
    """Kill mongod; the supervisor restarts it."""
    stack.mongod.kill()


async def kill_alerts(stack: Stack) -> None:
    stack.services["alerts"].kill()


async def tear_a_message(stack: Stack) -> None:
    """Publish a truncated message; every consumer of referrals dead-letters it."""
    producer = AIOKafkaProducer(bootstrap_servers=stack.broker.address, enable_idempotence=False)
    await producer.start()
    try:
        await producer.send_and_wait(
            "intake.referrals", b'{"patient_id":', key=b"pat_torn", headers=[("ce_type", b"IntakeCompleted")]
        )
    finally:
        await producer.stop()
