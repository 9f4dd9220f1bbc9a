"""HTTP responses: alerts with their history, deliveries without addresses, notices, the on-call policy."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel

from services.alerts.domain.alert import (
    Acknowledgement,
    Alert,
    Assessment,
    Decision,
    Ending,
    Evidence,
    Obligation,
    State,
)
from services.alerts.domain.delivery import Delivery
from services.alerts.domain.policy import (
    ChannelKind,
    ClinicalLadders,
    Contact,
    ContactRole,
    Digest,
    EngineeringLadders,
    OnCallPolicy,
    Rules,
)
from services.alerts.domain.reasons import DeliveryReason, RaiseReason
from services.alerts.events import AlertKind, Severity
from services.alerts.store import Notice


class AlertSummary(BaseModel):
    """One line of the list. `next_due`: when something happens automatically unless somebody acts."""

    id: str
    patient_id: str
    clinic_id: str
    kind: AlertKind
    severity: Severity
    state: State
    reason: RaiseReason
    about: str
    informational: bool
    plan_id: str | None
    clinician_id: str | None
    raised_at: datetime
    step: int
    """Step of the on-call ladder, from 0. -1 while nobody was paged."""
    next_due: datetime | None
    evidence_count: int
    acknowledgement: Acknowledgement | None
    handed_to: str | None
    ending: Ending | None

    @classmethod
    def of(cls, alert: Alert) -> "AlertSummary":
        return cls.model_validate(alert, from_attributes=True)


class DeliveryView(BaseModel):
    """One notification: to whom, how, and how it ended. Addresses are left out."""

    id: str
    alert_ids: tuple[str, ...]
    step: int
    round: int
    contact_id: str
    channel: ChannelKind
    state: str
    reason: DeliveryReason | None
    attempts: int
    next_attempt: datetime | None
    created_at: datetime
    ended_at: datetime | None


class AlertDetail(AlertSummary):
    """The full history: what is known, every decision with its reason, who was told, what is owed."""

    version: int
    evidence: tuple[Evidence, ...]
    obligations: tuple[Obligation, ...]
    decisions: tuple[Decision, ...]
    assessment: Assessment | None
    deliveries: list[DeliveryView]


def detail(alert: Alert, deliveries: Sequence[Delivery], version: int) -> AlertDetail:
    return AlertDetail(
        **AlertSummary.of(alert).model_dump(exclude={"acknowledgement", "ending"}),
        version=version,
        acknowledgement=alert.acknowledgement,
        ending=alert.ending,
        evidence=alert.evidence,
        obligations=alert.obligations,
        decisions=alert.decisions,
        assessment=alert.assessment,
        deliveries=[delivery_view(delivery) for delivery in deliveries],
    )


def delivery_view(delivery: Delivery) -> DeliveryView:
    return DeliveryView.model_validate(delivery, from_attributes=True)


class DeliveryList(BaseModel):
    items: list[DeliveryView]


class NoticeView(BaseModel):
    """One message in the caller's inbox."""

    id: str
    contact_id: str
    alert_ids: tuple[str, ...]
    severity: Severity
    at: datetime

    @classmethod
    def of(cls, notice: Notice) -> "NoticeView":
        return cls.model_validate(notice, from_attributes=True)


class ContactView(BaseModel):
    id: str
    subject: str
    roles: tuple[ContactRole, ...]
    channels: tuple[str, ...]


class OnCallView(BaseModel):
    """The policy in force, with the people of the clinics the caller sees."""

    version: str
    sign_off: str
    clinical: ClinicalLadders
    engineering: EngineeringLadders
    digest: Digest
    rules: Rules
    clinics: dict[str, list[ContactView]]
    engineers: list[ContactView]

    @classmethod
    def of(cls, policy: OnCallPolicy, clinics: Sequence[str]) -> "OnCallView":
        return cls(
            version=policy.version,
            sign_off=policy.sign_off,
            clinical=policy.clinical,
            engineering=policy.engineering,
            digest=policy.digest,
            rules=policy.rules,
            clinics={id: [_contact(contact) for contact in policy.clinics[id]] for id in clinics},
            engineers=[_contact(contact) for contact in policy.engineers],
        )


def _contact(contact: Contact) -> ContactView:
    return ContactView(
        id=contact.id,
        subject=contact.subject,
        roles=contact.roles,
        channels=("inbox", *(channel.kind for channel in contact.channels)),
    )
