"""Alerts: crises nobody holds first, then the rest; all alerts, the viewer's own, and their notices."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.dashboard.domain.alert import Alert
from services.dashboard.listing import BadQuery
from services.dashboard.pages.alerts import acting as alerts_acting
from services.dashboard.pages.alerts import one as alerts_one
from services.dashboard.pages.alerts import query as alerts_query
from services.dashboard.pages.alerts import words as alerts_words
from services.dashboard.pages.alerts.facts import Facts, Neighbours
from services.dashboard.pages.alerts.query import Asker
from services.dashboard.pages.alerts.telling import missed, reached, told_by_row
from services.dashboard.pages.alerts.times import Times
from services.dashboard.pages.alerts.view import Standing, notice, of_row
from services.dashboard.pages.alerts.watch import Watcher
from services.dashboard.pages.desk import Code, Cursor, Desk
from services.dashboard.pages.forms import new_key
from services.dashboard.web.viewer import Viewer
from shared.http.problems import Problem

Done = Annotated[str, Query(max_length=40, pattern=r"^[a-z_]*$")]


async def asked(
    state: Code = "", kind: Code = "", severity: Code = "", mine: Code = "", clinic: Code = "",
    after: Cursor = "",
) -> alerts_query.Query:  # fmt: skip
    """A dependency: the list's query, read from the address."""
    return alerts_query.Query(state, kind, severity, mine, clinic, after)


Asked = Annotated[alerts_query.Query, Depends(asked)]


def router(desk: Desk) -> APIRouter:
    api = APIRouter(tags=["alerts"])
    neighbours = Neighbours(desk.services)

    @api.get("/alerts", response_class=HTMLResponse)
    async def show_alerts(request: Request, viewer: Watcher, query: Asked, done: Done = "", alert: Code = ""
    ) -> HTMLResponse:  # fmt: skip
        """Alerts the viewer may see, the most urgent first, filtered as the address says."""
        known = await _content(desk, neighbours, query, viewer)
        clinics, now = desk.clinics.ids, desk.clock.now()
        acted = await alerts_query.one(desk.database, viewer, alert, clinics) if done and alert else None
        after = notice(done, of_row(acted, known["facts"]).seen(now), viewer.subject) if acted else None
        return await desk.page(
            request, viewer, "alerts.html", title="Alerts", notice=after, acted=alert, **known
        )

    @api.get("/parts/alerts", response_class=HTMLResponse)
    async def show_part(request: Request, viewer: Watcher, query: Asked) -> HTMLResponse:
        """Only the list."""
        known = await _content(desk, neighbours, query, viewer)
        return desk.part(request, viewer, "parts/alerts.html", **known)

    @api.get("/alerts/notices", response_class=HTMLResponse)
    async def show_notices(request: Request, viewer: Watcher, cursor: Cursor = "") -> HTMLResponse:
        """The viewer's notices, the latest first."""
        known = await _notices(desk, neighbours, viewer, cursor)
        return await desk.page(request, viewer, "alert-notices.html", title="My notices", **known)

    @api.get("/parts/notices", response_class=HTMLResponse)
    async def show_notices_part(request: Request, viewer: Watcher, cursor: Cursor = "") -> HTMLResponse:
        """Only the notices."""
        known = await _notices(desk, neighbours, viewer, cursor)
        return desk.part(request, viewer, "parts/alert_notices.html", **known)

    alerts_one.add(api, desk, neighbours)
    alerts_acting.add(api, desk, neighbours)
    return api


async def _content(
    desk: Desk, neighbours: Neighbours, query: alerts_query.Query, viewer: Viewer
) -> dict[str, Any]:
    facts = await neighbours.facts(viewer)
    asker = Asker(viewer, desk.clock.now(), desk.clinics.ids, facts.of_subject(viewer.subject))
    try:
        found = await alerts_query.page(desk.database, query, asker)
        counted = await alerts_query.counts(desk.database, query, asker)
    except BadQuery:
        raise Problem(422, "filter_unknown", "There is no such filter; begin again at the alerts.") from None
    lines = [_line(alert, facts, asker) for alert in found.alerts]
    live = query.state != "resolved"
    return {
        "query": query,
        "facts": facts,
        "urgent": [line for line in lines if live and line["standing"].is_crisis],
        "lines": [line for line in lines if not (live and line["standing"].is_crisis)],
        "counted": {name: _count(count) for name, count in counted.items()},
        "next_href": query.address(after=found.next) if found.next else None,
        "words": alerts_words,
        "kinds": kinds_for(viewer),
        "utc": Times(asker.now),
        "new_key": new_key,
    }


def _count(count: int) -> str:
    return f"{alerts_query.COUNTED}+" if count > alerts_query.COUNTED else str(count)


def kinds_for(viewer: Viewer) -> list[tuple[str, str]]:
    """The kinds the viewer may filter by."""
    carers = [pair for pair in alerts_words.KINDS.items() if pair[0] != "dead_letter" and viewer.cares]
    engineers = [("dead_letter", alerts_words.KINDS["dead_letter"])] if "engineer" in viewer.roles else []
    return [*carers, *engineers]


def _line(alert: Alert, facts: Facts, asker: Asker) -> dict[str, Any]:
    """One alert as shown in the list."""
    standing: Standing = of_row(alert, facts).seen(asker.now)
    told = told_by_row(alert, facts)
    return {
        "standing": standing,
        "times": Times(asker.now, facts.zone(alert.clinic_id)),
        "nobodys": standing.is_nobodys(asker.now),
        "reached": reached(told),
        "missed": missed(told),
        "climbed": _climbed(alert),
    }


def _climbed(alert: Alert) -> str:
    """The last escalation step in words; empty if the alert was never escalated."""
    if not alert.climbed:
        return ""
    last = alert.climbed[-1]
    why = alerts_words.word(alerts_words.TOLD, last.reason)
    return f"to step {last.step + 1} ({alerts_words.roles(last.role)}), because {why}"


async def _notices(desk: Desk, neighbours: Neighbours, viewer: Viewer, cursor: str) -> dict[str, Any]:
    """Notices live from the alerts service, with the read model's data on the alerts they name."""
    facts = await neighbours.facts(viewer)
    answer = await desk.services.get(viewer, "alerts", "/inbox", cursor=cursor or None)
    if answer.status in (400, 422):
        raise Problem(422, "cursor_unknown", "There is no such page; begin again at your notices.")
    body = answer.body if answer.ok else {"items": [], "next": None}
    ids = [id for notice in body["items"] for id in notice["alert_ids"]]
    known = await alerts_query.several(desk.database, viewer, ids, desk.clinics.ids)
    now = desk.clock.now()
    return {
        "reachable": answer.ok,
        "enlisted": bool(facts.of_subject(viewer.subject)),
        "notices": [_notice(told, known, facts, now) for told in body["items"]],
        "times": {clinic: Times(now, zone) for clinic, zone in facts.zones.items()},
        "utc": Times(now),
        "next_href": f"/alerts/notices?cursor={body['next']}" if body["next"] else None,
        "cursor": cursor,
        "words": alerts_words,
        "query": alerts_query.Query(),
    }


def _notice(told: dict[str, Any], known: dict[str, Alert], facts: Facts, now: datetime) -> dict[str, Any]:
    alerts = [of_row(known[id], facts).seen(now) for id in told["alert_ids"] if id in known]
    unknown = [id for id in told["alert_ids"] if id not in known]
    return {**told, "moment": datetime.fromisoformat(told["at"]), "alerts": alerts, "unknown": unknown}
