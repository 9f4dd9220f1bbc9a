"""A service's reactions: a map from inbound event types to the functions that handle them."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from shared.messaging.envelope import Envelope
from shared.messaging.event import Inbound
from shared.messaging.topics import topic

Reaction = Callable[[Any, Any], None]
"""`(fact, work) -> None`: decides and saves into the work; does no I/O."""


class Unacceptable(ValueError):
    """A message that is readable but must not be acted on. `reason` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Reactions:
    """Maps inbound types to reactions.

    A type that the topic declares but no reaction handles is ignored on purpose. A type that the topic
    does not declare becomes a dead letter.
    """

    def __init__(self, reactions: Mapping[type[Inbound], Reaction]) -> None:
        self._by_type = {(model.topic, model.__name__): (model, react) for model, react in reactions.items()}
        self.topics = sorted({model.topic for model in reactions})
        for model in reactions:
            if model.__name__ not in topic(model.topic).types:
                raise LookupError(f"{model.topic} does not declare {model.__name__}")

    def __iter__(self) -> "Any":
        return iter(self._by_type.values())

    def fact(self, envelope: Envelope) -> Inbound | None:
        """Validate a message into the fact our reaction reads; `None` if we ignore its type.

        Raises `Unacceptable` for an undeclared type, a newer schema, an invalid body or a key that is
        not the patient.
        """
        known = self._by_type.get((envelope.topic, envelope.type))
        if known is None:
            if envelope.type in topic(envelope.topic).types:
                return None
            raise Unacceptable("unknown_type")
        model, _ = known
        try:
            if envelope.schema_version == model.schema_version:
                fact = model.model_validate_json(envelope.body)
            elif envelope.schema_version > model.schema_version:
                raise Unacceptable("newer_schema")
            else:
                body = _parsed(envelope.body)
                fact = model.model_validate(model.upcast(body, envelope.schema_version))
        except ValidationError as error:
            syntax = error.errors(include_input=False, include_url=False)[0]["type"] == "json_invalid"
            raise Unacceptable("not_json" if syntax else "invalid_body") from None
        if fact.patient_id != envelope.key:
            raise Unacceptable("key_is_not_the_patient")
        return fact

    def reaction(self, envelope: Envelope) -> Reaction:
        return self._by_type[envelope.topic, envelope.type][1]


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unacceptable("not_json") from None
    if not isinstance(parsed, dict):
        raise Unacceptable("invalid_body")
    return parsed
