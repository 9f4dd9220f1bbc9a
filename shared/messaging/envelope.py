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
"""Characters of an attribute: ids of recent messages stand in a document of their subject."""

PATIENT = re.compile(rb"pat_[0-9a-f]{32}")


class Envelope(NamedTuple):
    """One message. `(topic, subject, sequence)` orders it; `id` makes it recognisable.

    A tuple, because it is made three times on a message's way and a frozen dataclass takes three times as
    long to make.
    """

    id: str
    type: str
    source: str
    subject: str
    """The aggregate the event is about: a referral, a plan, an alert."""
    sequence: int
    """Counts this subject's events in this topic from 1 without a gap."""
    time: datetime
    topic: str
    key: str
    """The patient id."""
    schema_version: int
    correlation_id: str
    """Id of the message or request that began the story."""
    causation_id: str | None
    """Id of the message that directly led to this one."""
    body: bytes
    traceparent: str | None = None
    """W3C trace context of what announced it, where that is recorded (see `shared.tracing`)."""

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
        """What `to_document` made, also that of a newer release. Raises `Unreadable`."""
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
        """As it stands in an outbox document; the body as bytes, a trace where there is one."""
        document = self._asdict()
        if self.traceparent is None:
            del document["traceparent"]
        return document


class TooLarge(ValueError):
    """An event's body is over `MAX_BODY`; refused before the transaction."""


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
    """Put an event into its envelope. The id is the same whenever the same fact is sealed again."""
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
    """A UUID of version 5, in a quarter of the time of `uuid5`."""
    h = sha1(NAMESPACE.bytes + about.encode(), usedforsecurity=False).hexdigest()
    return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{VARIANT[h[16]]}{h[17:20]}-{h[20:32]}"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something happens: the message or the request behind it."""

    correlation_id: str
    id: str | None = None
    traceparent: str | None = None

    @classmethod
    def of(cls, envelope: Envelope) -> "Cause":
        return cls(envelope.correlation_id, envelope.id, envelope.traceparent)


STORABLE = range(1, 2**63)
"""Whole numbers that MongoDB can keep."""


class Unreadable(ValueError):
    """A record that is no message of ours. `reason` is a code; no content is repeated."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Record(Protocol):
    """What we read of aiokafka's `ConsumerRecord`."""

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
    """Whom a record is about by its key, where that has the form of an id of ours: it may be anything."""
    return record.key.decode() if record.key is not None and PATIENT.fullmatch(record.key) else None


def unseal(record: Record) -> Envelope:
    """Read a record's envelope, the body left as bytes. Raises `Unreadable` with a named reason."""
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
    except (ValueError, OverflowError):  # the year 1 or 9999 may have no such instant in UTC
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
