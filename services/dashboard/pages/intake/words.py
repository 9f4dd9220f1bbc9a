"""Display texts for intake's codes."""

from services.dashboard.pages.instruments import Choice

CONSENTS: tuple[Choice, ...] = (
    ("yes", "Given"),
    ("no", "Not given: the person does not consent"),
    ("", "Not asked yet"),
)
CRISES: tuple[Choice, ...] = (
    ("", "Nobody asked"),
    ("no", "No"),
    ("yes", "Yes: people are alerted at once"),
    ("unclear", "Unclear: people are alerted as well"),
)
SEXES: tuple[Choice, ...] = (
    ("", "Not said"),
    ("female", "Female"),
    ("male", "Male"),
    ("other", "Other"),
    ("unknown", "Unknown"),
)
HISTORY_FLAGS = {
    "rapid_recurrence": "Rapid recurrence",
    "severe_episodes": "Severe episodes",
    "family_history": "Family history of depression",
    "residual_symptoms": "Residual symptoms",
}
CONDITIONS = {
    "bipolar": "Bipolar disorder",
    "psychosis": "Psychosis",
    "acutely_suicidal": "Acutely suicidal",
}

STATES = {
    "received": "Nothing answered yet",
    "incomplete": "Incomplete",
    "review": "Needs a decision",
    "in_review": "Needs a decision",
    "completed": "Enrolled",
    "declined": "Declined",
}
REASONS = {
    "minimal_symptoms": "Minimal symptoms (PHQ-9 below 5): is treatment indicated?",
    "moderately_severe": "Moderately severe depression (PHQ-9 15 to 19)",
    "severe": "Severe depression (PHQ-9 20 or more)",
    "crisis_unassessed": "What was said about a crisis cannot be assessed",
    "crisis_open": "Crisis evidence, moderate or high",
    "consent_missing": "The person does not consent",
    "outside_age_range": "Younger than any variant is for",
    "exclusion_reported": "A condition was reported that may exclude IPT",
    "referred_already": "There is another referral of this person",
    "no_exact_variant": "No variant fits exactly",
}
"""Why a clinician has to decide."""

MISSING = {
    "phq9": "PHQ-9 not complete",
    "gad7": "GAD-7 not complete",
    "cssrs": "C-SSRS not complete",
    "consent": "Consent not recorded",
}
DECLINES = {
    "other_treatment": "Another treatment suits better",
    "declined_by_patient": "The person does not want it",
    "not_reachable": "The person cannot be reached",
    "not_indicated": "IPT is not indicated",
    "duplicate": "The same person was referred twice",
}
EVIDENCE = {
    "phq9_item9": "PHQ-9 item 9 above zero",
    "cssrs_high": "C-SSRS: high risk",
    "cssrs_moderate": "C-SSRS: moderate risk",
    "cssrs_low": "C-SSRS: low risk",
    "explicit": "Somebody raised a crisis outright",
    "unassessable": "An answer that cannot be assessed",
}
INDICATIONS = {
    "three_or_more_episodes": "Three or more episodes",
    "two_with_rapid_recurrence": "Two episodes with rapid recurrence",
    "late_onset": "Onset after 60",
    "severe_episodes": "Severe episodes",
    "family_history": "Family history",
    "residual_symptoms": "Residual symptoms",
}
TRIAGE = {
    "not_started": "Not asked yet",
    "unfinished": "Not finished",
    "unassessable": "Cannot be assessed: counts as moderate at least",
    "assessed": "Complete",
}
BANDS = {
    "minimal": "minimal",
    "mild": "mild",
    "moderate": "moderate",
    "moderately_severe": "moderately severe",
    "severe": "severe",
}
FLAGGED_BY: tuple[Choice, ...] = (
    ("clinician", "A clinician"),
    ("coordinator", "A coordinator"),
    ("patient", "The person"),
    ("relative", "A relative"),
    ("other", "Somebody else"),
)

VARIANTS = {
    "ipt-16": (16, "IPT, 16 sessions", "from 18 years"),
    "ipt-15": (15, "IPT, 15 sessions", "from 18 years"),
    "ipt-14": (14, "IPT, 14 sessions", "from 18 years"),
    "ipt-13": (13, "IPT, 13 sessions", "from 18 years"),
    "ipt-12": (12, "IPT, 12 sessions", "from 18 years"),
    "ipt-a": (12, "IPT-A for adolescents, 12 sessions", "12 to 18 years"),
    "ipt-b": (8, "IPT-B, brief, 8 sessions", "from 18 years"),
    "group-ipt": (8, "Group IPT, 8 sessions", "from 18 years"),
}
"""Contracted N, name and ages of the variants that intake enrols into (from its eligibility file)."""

REFUSALS = {
    "screening_incomplete": "The screening is not complete: the missing answers come first.",
    "consent_missing": "The person's consent is not recorded as given.",
    "crisis_unassessed": "There is crisis evidence: assess it, and say here that it was assessed.",
    "unknown_variant": "Intake does not know this variant.",
    "sessions_not_of_variant": "The number of sessions is not the one of this variant.",
    "age_unknown": "The person's age is not known: record it first.",
    "age_outside_variant": "The person's age is outside what this variant is for.",
    "excluded_from_variant": "A reported condition excludes this variant.",
    "already_completed": "This referral is decided already: the person is enrolled.",
    "already_declined": "This referral is decided already: it was declined.",
    "person_differs": "This referral number or patient number is known, and is somebody else's: the patient "
    "number, the birth date, the names, or the sex or age where nothing else is known, differ. Check the "
    "numbers. A correction needs both numbers that are known.",
    "kept_by_newer_release": "A newer release keeps this, and intake does not read it yet: nothing was "
    "recorded; any crisis in it was told. Send it again later.",
    "idempotency_key_reused": "This form was sent before, and then changed: load the page again to see what "
    "became of it.",
    "changed_meanwhile": "Others were changing the same referral at this moment: send it again.",
}
"""Intake's reasons for a refusal."""


def worded(codes: tuple[str, ...] | list[str], known: dict[str, str]) -> list[str]:
    """Codes in words; a code without a text is shown as it is, never hidden."""
    return [known.get(code) or code.replace("_", " ").capitalize() for code in codes]


def refusal(problem: dict[str, object]) -> dict[str, object]:
    """The problem with its reason in words as `detail`, if there is a text for it."""
    said = REFUSALS.get(str(problem.get("reason", "")))
    return {**problem, "detail": said} if said else dict(problem)
