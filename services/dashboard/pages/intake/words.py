"""The instruments in the words they were published in, and intake's codes in the words people use."""

Choice = tuple[str, str]
"""What a form sends, and what stands beside it. An empty value: nobody answered, which is never a zero."""

NOT_ANSWERED: Choice = ("", "Not answered")
REFUSED: Choice = ("refused", "Refused")

PHQ9_ASKS = "Over the last 2 weeks, how often have you been bothered by any of the following problems?"
PHQ9_ITEMS = (
    "Little interest or pleasure in doing things",
    "Feeling down, depressed, or hopeless",
    "Trouble falling or staying asleep, or sleeping too much",
    "Feeling tired or having little energy",
    "Poor appetite or overeating",
    "Feeling bad about yourself – or that you are a failure or have let yourself or your family down",
    "Trouble concentrating on things, such as reading the newspaper or watching television",
    "Moving or speaking so slowly that other people could have noticed? Or the opposite – being so fidgety "
    "or restless that you have been moving around a lot more than usual",
    "Thoughts that you would be better off dead or of hurting yourself in some way",
)
"""Kroenke 2001; free to reproduce."""

DIFFICULTY = (
    "How difficult have these problems made it for you to do your work, take care of things at home, or get "
    "along with other people?"
)
GAD7_ASKS = "Over the last 2 weeks, how often have you been bothered by the following problems?"
GAD7_ITEMS = (
    "Feeling nervous, anxious or on edge",
    "Not being able to stop or control worrying",
    "Worrying too much about different things",
    "Trouble relaxing",
    "Being so restless that it is hard to sit still",
    "Becoming easily annoyed or irritable",
    "Feeling afraid as if something awful might happen",
)
"""Spitzer 2006; free to reproduce."""

HOW_OFTEN: tuple[Choice, ...] = (
    ("0", "Not at all"),
    ("1", "Several days"),
    ("2", "More than half the days"),
    ("3", "Nearly every day"),
    REFUSED,
    NOT_ANSWERED,
)
HOW_DIFFICULT: tuple[Choice, ...] = (
    ("0", "Not difficult at all"),
    ("1", "Somewhat difficult"),
    ("2", "Very difficult"),
    ("3", "Extremely difficult"),
    REFUSED,
    NOT_ANSWERED,
)

CSSRS_ASKS = "In the past month …"
CSSRS_QUESTIONS = {
    "q1": "Have you wished you were dead or wished you could go to sleep and not wake up?",
    "q2": "Have you actually had any thoughts of killing yourself?",
    "q3": "Have you been thinking about how you might do this?",
    "q4": "Have you had these thoughts and had some intention of acting on them?",
    "q5": "Have you started to work out or worked out the details of how to kill yourself? Do you intend to "
    "carry out this plan?",
    "q6": "Have you ever done anything, started to do anything, or prepared to do anything to end your life?",
    "q6_recent": "Was this within the past three months?",
}
"""The screener, in the Columbia triage's order."""

CSSRS_NUMBERS = {question: question[1:].replace("_recent", "a") for question in CSSRS_QUESTIONS}
CSSRS_RULE = "Ask 1 and 2. If 2 is no, go on to 6; otherwise ask 3, 4, 5 and 6. Ask 6a if 6 is yes."
YES_NO: tuple[Choice, ...] = (("no", "No"), ("yes", "Yes"), NOT_ANSWERED)

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
"""Contracted N, name and ages of what intake enrols into (its eligibility file)."""

REFUSALS = {
    "screening_incomplete": "The screening is not complete: the missing answers come first.",
    "consent_missing": "The person's consent is not recorded as given.",
    "crisis_unassessed": "There is crisis evidence: assess it, and say here that it was assessed.",
    "unknown_variant": "Intake does not know this variant.",
    "sessions_not_of_variant": "The number of sessions is not the one of this variant.",
    "age_unknown": "The person's age is not known: send the referral again with an age or a birth date.",
    "age_outside_variant": "The person's age is outside what this variant is for.",
    "excluded_from_variant": "A reported condition excludes this variant.",
    "already_completed": "This referral is decided already: the person is enrolled.",
    "already_declined": "This referral is decided already: it was declined.",
    "person_differs": "This referral number is known, and is about another person: check both numbers.",
    "idempotency_key_reused": "This form was sent before, and then changed: load the page again to see what "
    "became of it.",
    "changed_meanwhile": "Others were changing the same referral at this moment: send it again.",
}
"""Why intake says no."""


def worded(codes: tuple[str, ...] | list[str], known: dict[str, str]) -> list[str]:
    """Whatever has no words here is shown as its code, never hidden."""
    return [known.get(code) or code.replace("_", " ").capitalize() for code in codes]


def refusal(problem: dict[str, object]) -> dict[str, object]:
    """A problem with its reason in words as `detail`, where there are any."""
    said = REFUSALS.get(str(problem.get("reason", "")))
    return {**problem, "detail": said} if said else dict(problem)
