"""Builds alerts: the only place for its settings and wiring."""

from collections.abc import Iterable
from functools import partial

from services.alerts import events, store
from services.alerts.api import router
from services.alerts.books import books
from services.alerts.channels import Channel
from services.alerts.channels.addresses import is_literal_private
from services.alerts.channels.apprise import AppriseChannel
from services.alerts.channels.email import EmailChannel
from services.alerts.channels.webhook import WebhookChannel, is_strong
from services.alerts.clinics import read_clinic_hours
from services.alerts.deliveries import Deliveries
from services.alerts.domain.policy import Contact, OnCallPolicy
from services.alerts.domain.roster import OnCall
from services.alerts.handlers import when_crisis_message_set_aside_page_by_ids
from services.alerts.metrics import count_attempts_from_zero
from services.alerts.settings import AlertsSettings
from services.alerts.store import AlertsWork
from services.alerts.subscribers import CRISIS, WORK
from services.alerts.tickers import due_alerts
from services.alerts.watching import look_at_crises, look_at_rosters
from shared.clock import SystemClock
from shared.clock import clock as clock_of
from shared.http.commands import Commands
from shared.messaging.announced import announced
from shared.service import Service, Subscription, open_database

NAME = "alerts"


def read_on_call(settings: AlertsSettings) -> OnCall:
    """Read policy and clinic hours. Raises `ValueError` if they are not fit for service."""
    policy = OnCallPolicy.model_validate_json(settings.on_call_file.read_bytes())
    hours = read_clinic_hours(settings.clinics_file)
    missing = sorted(hours.keys() - policy.clinics.keys())
    if missing:
        raise ValueError(f"on_call_file has no roster for {', '.join(missing)}")
    if settings.environment == "production":
        _require_a_way_out(policy.people())
    return OnCall(policy, hours)


def _require_a_way_out(people: Iterable[Contact]) -> None:
    """Refuse contacts without a channel besides the inbox, which wakes nobody."""
    mute = sorted(contact.id for contact in people if not contact.channels)
    if mute:
        raise ValueError(f"on_call_file: no channel besides the inbox for {', '.join(mute)}")


def build_channels(settings: AlertsSettings, policy: OnCallPolicy) -> dict[str, Channel]:
    """The channels the policy asks for. Raises `ValueError` for one that is not set up."""
    wanted = {channel.kind for contact in policy.people() for channel in contact.channels}
    channels: dict[str, Channel] = {}
    if "email" in wanted:
        channels["email"] = _email(settings)
    if "webhook" in wanted:
        channels["webhook"] = _webhook(settings, policy)
    if "apprise" in wanted:
        channels["apprise"] = AppriseChannel()
    return channels


def _email(settings: AlertsSettings) -> EmailChannel:
    if not settings.smtp_host:
        raise ValueError("on_call_file has e-mail addresses: smtp_host must be set")
    password = settings.smtp_password
    return EmailChannel(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_from,
        clock=SystemClock(),
        username=settings.smtp_username,
        password=None if password is None else password.get_secret_value(),
        tls=settings.smtp_tls,
        timeout=settings.smtp_timeout,
    )


def _webhook(settings: AlertsSettings, policy: OnCallPolicy) -> WebhookChannel:
    """Sign with the real time, not the service's clock, because receivers compare it with theirs."""
    secret = settings.webhook_secret.get_secret_value()
    if not is_strong(secret):
        raise ValueError("on_call_file has webhooks: webhook_secret must be whsec_ and base64 of 24 bytes")
    allow_private = settings.allow_private_webhooks
    for contact in policy.people():
        address = contact.address("webhook")
        if address is not None and not allow_private and is_literal_private(address):
            raise ValueError(f"on_call_file: the webhook of {contact.id} is at a private address")
    return WebhookChannel(
        secret, clock=SystemClock(), allow_private=allow_private, timeout=settings.webhook_timeout
    )


def build(settings: AlertsSettings) -> Service:
    """Raises `ValueError` or `OSError` when policy, clinics or channels are not fit for service."""
    on_call = read_on_call(settings)
    channels = build_channels(settings, on_call.policy)
    count_attempts_from_zero(channels)
    clock = clock_of(settings.clock_file)
    database = open_database(settings, NAME)

    def open_work() -> AlertsWork:
        return AlertsWork(database, now=clock.now(), on_call=on_call, first_tries=deliveries)

    deliveries = Deliveries(
        database=database,
        open_work=open_work,
        channels=channels,
        public_url=settings.public_url,
    )
    return Service(
        name=NAME,
        title="Kith alerts",
        settings=settings,
        database=database,
        clock=clock,
        open_work=open_work,
        subscriptions=[
            Subscription(
                "crisis",
                CRISIS,
                hold_gaps=False,
                own_group=True,
                on_dead_letter=when_crisis_message_set_aside_page_by_ids,
            ),
            Subscription("work", WORK),
        ],
        routers=[router(Commands(database, open_work), on_call)],
        indexes=store.INDEXES,
        collections=store.COLLECTIONS,
        events=announced(NAME, events),
        tickers=[*due_alerts(database, open_work), deliveries, deliveries.inbox],
        books=lambda: books(database),
        background=[partial(look_at_rosters, on_call)],
        gauges=[partial(look_at_crises, database)],
    )
