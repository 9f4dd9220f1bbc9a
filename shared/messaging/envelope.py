"""The envelope of a message: CloudEvents 1.0 in Kafka's binary mode (attributes as `ce_` headers)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha1
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from shared import tracing
from shared.messaging.event import Event

NAMESPACE = UUID("6f0ddc7a-54a9-4f2b-9d0f-4b1d6a1c7a10")
VARIANT = {f"{n:x}": f"{n & 3 | 8:x}" for n in range(16)}
"""RFC 9562: the first two bits of a UUID's 17th digit are 1 and 0."""

MAX_BODY = 900_000
"""Bytes. Below the broker's request limit of 1 MiB, headers and framing included."""

MAX_HEADERS = 64
MAX_ATTRIBUTE = 512
"""Characters per attribute. Limited because a subject's inbox document stores recent messages' ids."""

PATIENT = re.compile(rb"pat_[0-9a-f]{32}")


class Envelope(NamedTuple):
    """One message. `(topic, subject, sequence)` orders it; `id` identifies it.

    A named tuple, because each message needs three of them on its way and a frozen dataclass takes three
    times as long to create.
    """

    id: str
    type: str
    source: str
    subject: str
    """The aggregate the event is about: a referral, a plan, an alert."""
    sequence: int
    """Number of this event among its subject's events in this topic: from 1, without gaps."""
    time: datetime
    topic: str
    key: str
    """The patient id."""
    schema_version: int
    correlation_id: str
    """Id of the message or request that started the causal chain."""
    causation_id: str | None
    """Id of the message that directly led to this one."""
    body: bytes
    traceparent: str | None = None
    """W3C trace context in which it was announced, if that is recorded (see `shared.tracing`)."""

    def headers(self) -> list[tuple[str, bytes]]:
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", self.id.encode()),
            ("ce_type", self.type.encode()),
            ("ce_source", self.source.encode()),
            ("ce_subject", self.subject.encode()),
            ("ce_time", self.time.isoformat().encode()),
            ("ce_sequence", b"%d" % self.sequence),
            ("ce_schemaversion", b"%d" % self.schema_version),
            ("ce_partitionkey", self.key.encode()),
            ("ce_correlationid", self.correlation_id.encode()),
            ("content-type", b"application/json"),
        ]
        if self.causation_id is not None:
            headers.append(("ce_causationid", self.causation_id.encode()))
        if self.traceparent is not None:
            headers.append(("ce_traceparent", self.traceparent.encode()))
        return headers

    @classmethod
    def of_document(cls, document: dict[str, Any]) -> "Envelope":
        """Parse the output of `to_document`, including a newer release's. Raises `Unreadable`."""
        try:
            found = cls(**{name: document[name] for name in cls._fields if name in document})
        except TypeError:
            raise Unreadable("missing_field") from None
        texts = (found.id, found.type, found.source, found.subject, found.topic, found.key)
        fits = isinstance(found.time, datetime) and isinstance(found.body, bytes)
        if not fits or not all(isinstance(text, str) for text in texts):
            raise Unreadable("wrong_type")
        return found

    def to_document(self) -> dict[str, Any]:
        """Convert to the form in an outbox document: body as bytes, `traceparent` only if present."""
        document = self._asdict()
        if self.traceparent is None:
            del document["traceparent"]
        return document


class TooLarge(ValueError):
    """An event's body exceeds `MAX_BODY`; refused before the transaction."""


def seal(
    event: Event,
    *,
    source: str,
    subject: str,
    sequence: int,
    now: datetime,
    cause: "Cause",
    topic: str | None = None,
) -> Envelope:
    """Put an event into its envelope. Sealing the same fact again gives the same id. Raises `TooLarge`."""
    body = event.model_dump_json().encode()
    if len(body) > MAX_BODY:
        raise TooLarge(f"{type(event).__name__}: {len(body)} bytes")
    topic = topic or event.topic
    about = event.about() or f"{subject}/{topic}/{sequence}"
    return Envelope(
        id=derived_id(about),
        type=type(event).__name__,
        source=source,
        subject=subject,
        sequence=sequence,
        time=now,
        topic=topic,
        key=event.patient_id,
        schema_version=event.schema_version,
        correlation_id=cause.correlation_id,
        causation_id=cause.id,
        body=body,
        traceparent=cause.traceparent,
    )


def derived_id(about: str) -> str:
    """Compute a version 5 UUID, in a quarter of the time of `uuid5`."""
    h = sha1(NAMESPACE.bytes + about.encode(), usedforsecurity=False).hexdigest()
    return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{VARIANT[h[16]]}{h[17:20]}-{h[20:32]}"


@dataclass(frozen=True, slots=True)
class Cause:
    """The message or request that caused an event."""

    correlation_id: str
    id: str | None = None
    traceparent: str | None = None

    @classmethod
    def of(cls, envelope: Envelope) -> "Cause":
        return cls(envelope.correlation_id, envelope.id, envelope.traceparent)


STORABLE = range(1, 2**63)
"""Positive integers that MongoDB can store."""


class Unreadable(ValueError):
    """A record that is not one of our messages. `reason` is a code and repeats no content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Record(Protocol):
    """The attributes of aiokafka's `ConsumerRecord` that we read."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


def patient_of(record: Record) -> str | None:
    """Return the patient id in a record's key, or `None` if the key does not have the form of one."""
    return record.key.decode() if record.key is not None and PATIENT.fullmatch(record.key) else None


def unseal(record: Record) -> Envelope:
    """Read a record's envelope, leaving the body as bytes. Raises `Unreadable` with a named reason."""
    if record.value is None:
        raise Unreadable("tombstone")
    if not record.value:
        raise Unreadable("empty")
    if len(record.headers) > MAX_HEADERS:
        raise Unreadable("too_many_headers")
    if record.key is None:
        raise Unreadable("null_key")
    try:
        text = {
            name: value.decode()
            for name, value in record.headers
            if value is not None and name.startswith("ce_")
        }
        key = record.key.decode()
    except UnicodeDecodeError:
        raise Unreadable("headers_not_utf8") from None
    if max(map(len, text.values()), default=0) > MAX_ATTRIBUTE:
        raise Unreadable("attribute_too_long")
    for name in ("ce_id", "ce_type", "ce_source", "ce_subject", "ce_sequence", "ce_time"):
        if not text.get(name):
            raise Unreadable(f"missing_{name}")
    try:
        sequence = int(text["ce_sequence"])
        schema_version = int(text.get("ce_schemaversion", "1"))
        told = datetime.fromisoformat(text["ce_time"])
        time = told.astimezone(UTC)
    except (ValueError, OverflowError):  # in the years 1 and 9999 conversion to UTC may overflow
        raise Unreadable("bad_attribute") from None
    if told.tzinfo is None or sequence not in STORABLE or schema_version not in STORABLE:
        raise Unreadable("bad_attribute")
    return Envelope(
        id=text["ce_id"],
        type=text["ce_type"],
        source=text["ce_source"],
        subject=text["ce_subject"],
        sequence=sequence,
        time=time,
        topic=record.topic,
        key=key,
        schema_version=schema_version,
        correlation_id=text.get("ce_correlationid", text["ce_id"]),
        causation_id=text.get("ce_causationid"),
        body=record.value,
        traceparent=tracing.sampled(text.get("ce_traceparent")),
    )
