"""The referral form, passed to intake as it was filled in."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.dashboard.calendar.hours import Clinics
from services.dashboard.pages import instruments
from services.dashboard.pages.desk import Carer, Desk
from services.dashboard.pages.forms import is_ours, key_of, keyed, new_key
from services.dashboard.pages.intake import words as intake_words
from services.dashboard.pages.intake.answers import Said, said_no, unsent
from services.dashboard.pages.intake.errors import LABELS
from services.dashboard.pages.intake.form import SCREENING, is_about_nobody, is_alarming, referral_of
from services.dashboard.pages.signing_in import FORM, form_of
from services.dashboard.web.viewer import Viewer

CREATED = 201
FIELDS = [*SCREENING, *LABELS, "consent", "crisis"]


def add(api: APIRouter, desk: Desk, clinics: Clinics) -> None:
    async def drawn(
        request: Request,
        viewer: Viewer,
        values: dict[str, str],
        said: Said | None = None,
        *,
        nobody: bool = False,
    ) -> HTMLResponse:
        return await desk.page(
            request,
            viewer,
            "intake-new.html",
            title="Refer someone",
            status=said.status if said else 422 if nobody else 200,
            said=said,
            nobody=nobody,
            values=values,
            key=said.key if said else new_key(),
            words=intake_words,
            instruments=instruments,
            **_choices(clinics, viewer),
        )

    @api.get("/intake/new", response_class=HTMLResponse)
    async def show_referral_form(request: Request, viewer: Carer) -> HTMLResponse:
        """An empty referral form."""
        return await drawn(request, viewer, {})

    @api.post("/intake/new", openapi_extra=FORM)
    async def refer(request: Request, viewer: Carer) -> Response:
        """Send a referral to intake; the next page shows what was decided.

        A referral without any identification has to be confirmed once. One with signs of a crisis is sent
        on without that.
        """
        form = keyed(await form_of(request))
        alarming = is_alarming(form)
        if not is_ours(form.get("csrf", ""), viewer):
            return await drawn(request, viewer, form, unsent(is_alarming=alarming))
        if is_about_nobody(form) and not (alarming or form.get("about_nobody")):
            return await drawn(request, viewer, form, nobody=True)
        body, key = referral_of(form), key_of(form)
        answer = await desk.services.send(viewer, "intake", "POST", "/referrals", body, key=key)
        if not answer.ok:
            return await drawn(request, viewer, form, said_no(answer, form, FIELDS, is_alarming=alarming))
        done = "referred" if answer.status == CREATED else "added"
        return RedirectResponse(f"/intake/{answer.body['id']}?done={done}", 303)


def _choices(clinics: Clinics, viewer: Viewer) -> dict[str, Any]:
    """The clinics and clinicians that this viewer may refer to."""
    seen = [clinic for clinic in clinics.clinics if viewer.sees(clinic.id)]
    return {
        "clinics": [(clinic.id, clinic.title) for clinic in seen],
        "clinicians": [(id, f"{id}, {clinic.title}") for clinic in seen for id in clinic.clinician_ids],
    }
