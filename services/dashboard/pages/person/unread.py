"""Acting while the read model cannot be read: the form's hidden fields are enough to ask a service."""

import re
from datetime import datetime
from zoneinfo import available_timezones

from services.dashboard.domain.person import Course, Person, Referral
from services.dashboard.pages.person.acts import Scene
from services.dashboard.pages.person.fields import Entered
from services.dashboard.store import Row
from services.dashboard.web.viewer import Viewer
from services.dashboard.web.words import UTC

PLAN, REFERRAL, ZONE = "of_plan", "of_referral", "in_zone"
ID = re.compile(r"[A-Za-z0-9_\-.:]{1,100}")
"""Ids that are safe in a path of a service."""


def carried(scene: Scene) -> dict[str, str]:
    """Hidden fields that every form carries."""
    course, referral = scene.course, scene.row.referral
    return {PLAN: course.id if course else "", REFERRAL: referral.id if referral else "", ZONE: scene.zone}


def scene_of(patient_id: str, viewer: Viewer, now: datetime, entered: Entered) -> Scene:
    """Build the scene from the form's hidden fields. The services check whether the sender may act."""
    plan, referral, zone = (entered.get(name, "") for name in (PLAN, REFERRAL, ZONE))
    person = Person(
        id=patient_id,
        courses=(Course(id=plan),) if ID.fullmatch(plan) else (),
        referrals=(Referral(id=referral),) if ID.fullmatch(referral) else (),
    )
    return Scene(Row.of(person), viewer, now, zone if zone in available_timezones() else UTC, is_unread=True)
