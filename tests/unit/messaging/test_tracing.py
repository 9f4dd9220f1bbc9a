"""How a trace travels with an event, and that others leave nothing behind."""

from datetime import UTC, datetime

import pytest

from services.intake.events import ReferralReceived
from shared import tracing
from shared.messaging.envelope import Cause, Envelope, seal, unseal
from shared.messaging.outbox import envelopes
from tests.support.letters import delivered

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
TRACED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def sealed(cause: Cause) -> Envelope:
    event = ReferralReceived(
        patient_id="pat_1", clinic_id="riverside", referral_id="ref_1", received_at=NOW, source="form"
    )
    return seal(event, source="intake", subject="ref_1", sequence=1, now=NOW, cause=cause)


def test_a_trace_goes_through_outbox_and_headers_to_what_follows() -> None:
    envelope = sealed(Cause("req_1", traceparent=TRACED))
    (stored,) = envelopes({"events": [envelope.to_document()]})
    read = unseal(delivered(stored))
    assert read == envelope
    assert Cause.of(read).traceparent == TRACED
    assert ("ce_traceparent", TRACED.encode()) in envelope.headers()


def test_without_a_trace_documents_and_headers_are_as_they_always_were() -> None:
    envelope = sealed(Cause("req_1"))
    assert "traceparent" not in envelope.to_document()
    assert "ce_traceparent" not in dict(envelope.headers())
    assert envelopes({"events": [envelope.to_document()]}) == [envelope]


def test_a_trace_does_not_change_which_event_it_is() -> None:
    assert sealed(Cause("req_1", traceparent=TRACED)).id == sealed(Cause("req_1")).id


@pytest.mark.parametrize(
    "offered",
    [
        "Jane Roe",
        "",
        TRACED[:-2] + "00",
        TRACED.upper(),
        "ff" + TRACED[2:],
        "00-" + "0" * 32 + TRACED[35:],
        TRACED + "-Jane",
    ],
)
def test_what_is_no_recorded_trace_is_not_carried_on(offered: str) -> None:
    headers = [*sealed(Cause("req_1")).headers(), ("ce_traceparent", offered.encode())]
    assert unseal(delivered(sealed(Cause("req_1")), headers=headers)).traceparent is None


def test_while_tracing_is_off_nothing_is_begun_and_a_trace_passes_through() -> None:
    message = unseal(delivered(sealed(Cause("req_1", traceparent=TRACED))))
    assert not tracing.is_on()
    assert tracing.effect(message, "alerts.work") is None
    assert tracing.request(TRACED) is None
    assert tracing.here() is None
    assert sealed(Cause.of(message)).traceparent == TRACED
