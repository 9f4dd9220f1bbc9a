"""Who a person is, how old, and who takes them."""

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.clinics import Clinics, assigned
from services.intake.domain.person import Identity, Person, age_on
from services.intake.events import (
    CrisisFlagRaised,
    IntakeCompleted,
    IntakeDeclined,
    IntakeReviewRequired,
    ReferralReceived,
    ScreeningIncomplete,
)
from shared.messaging.event import Event

JO = Person(id="pat_1", patient_id="pat_1", clinic_id="riverside", given_name="Jo", phone="555")
BORN = date(1980, 1, 1)
NAMED = {"given_name": "Jo", "family_name": "Bell"}


@pytest.mark.parametrize(
    ("born", "today", "age"),
    [
        (date(2000, 3, 2), date(2026, 3, 1), 25),
        (date(2000, 3, 2), date(2026, 3, 2), 26),
        (date(2000, 2, 29), date(2026, 2, 28), 25),
        (date(2000, 2, 29), date(2026, 3, 1), 26),
    ],
)
def test_age_is_counted_in_full_years(born: date, today: date, age: int) -> None:
    assert age_on(born, today) == age


def test_what_is_not_told_again_about_a_person_stays() -> None:
    told = JO.told(Identity(given_name="Joanna", email="jo@example.org"))
    assert (told.given_name, told.phone, told.email, told.id) == ("Joanna", "555", "jo@example.org", "pat_1")


@pytest.mark.parametrize(
    ("told", "somebody_else"),
    [
        (Identity(), False),
        (Identity(given_name="Bob"), False),
        (Identity(given_name="Anna", family_name="Bell"), False),
        (Identity(given_name="ANNA", family_name="O Abel"), False),
        (Identity(given_name="Bob", family_name="Bell"), True),
        (Identity(birth_date=date(1980, 1, 2)), True),
        (Identity(external_id="P-2"), True),
        (
            Identity(external_id="P-1", family_name="Bell", given_name="Bob", birth_date=date(1999, 9, 9)),
            False,
        ),
    ],
)
def test_another_number_birth_date_or_both_names_are_somebody_else_and_the_same_number_is_not(
    told: Identity, somebody_else: bool
) -> None:
    born = date(1980, 1, 1)
    anna = JO.told(Identity(external_id="P-1", given_name="Anna", family_name="O'Abel", birth_date=born))
    assert anna.is_somebody_else(told) is somebody_else


@pytest.mark.parametrize(
    ("known", "told", "ages", "somebody_else"),
    [
        ({"sex": "female"}, {"sex": "male"}, (None, None), True),
        ({"sex": "female"}, {"sex": "unknown"}, (30, 31), False),
        ({"sex": "female"}, {}, (30, 32), True),
        ({"sex": "female", "given_name": "Jo"}, {"sex": "male", "given_name": "Jo"}, (None, 30), True),
        (NAMED | {"sex": "female"}, NAMED | {"sex": "male"}, (30, 71), False),
        ({"birth_date": BORN, "sex": "female"}, {"birth_date": BORN, "sex": "male"}, (30, 71), False),
    ],
)
def test_where_neither_number_nor_names_nor_birth_date_tell_sex_and_age_do(
    known: dict[str, Any], told: dict[str, Any], ages: tuple[int | None, int | None], somebody_else: bool
) -> None:
    person = Person(id="pat_1", patient_id="pat_1", clinic_id="riverside", **known)
    assert person.is_somebody_else(Identity(**told), *ages) is somebody_else


@pytest.mark.parametrize(
    ("told", "another"),
    [
        ({"given_name": "Bob", "family_name": "Xu", "birth_date": date(1950, 1, 1)}, True),
        ({"given_name": "Bob", "family_name": "Xu", "birth_date": BORN}, False),
        ({"given_name": "Bob", "birth_date": date(1950, 1, 1)}, False),
        ({"given_name": "Jo", "family_name": "Xu", "birth_date": date(1950, 1, 1)}, False),
    ],
)
def test_a_new_referral_mistook_the_number_where_birth_date_and_both_names_are_other(
    told: dict[str, Any], another: bool
) -> None:
    jo = Person(id="pat_1", patient_id="pat_1", clinic_id="riverside", birth_date=BORN, **NAMED)
    assert jo.has_number_of_another(Identity(**told)) is another


def test_no_event_has_a_field_for_a_name_a_contact_or_free_text() -> None:
    kinds: list[type[Event]] = [
        CrisisFlagRaised,
        IntakeCompleted,
        IntakeDeclined,
        IntakeReviewRequired,
        ReferralReceived,
        ScreeningIncomplete,
    ]
    for kind in kinds:
        assert not set(kind.model_fields) & set(Identity.model_fields)


def test_ids_are_read_from_the_clinics_file_and_who_works_there(tmp_path: Path) -> None:
    path = tmp_path / "clinics.json"
    path.write_text('{"version": "1", "clinics": [{"id": "a", "zone": "UTC", "clinicians": [{"id": "c1"}]}]}')
    clinics = Clinics.read(path)
    assert clinics.clinicians("a") == ("c1",)
    assert clinics.clinicians("b") is None


def test_the_day_is_that_of_the_clinic(tmp_path: Path) -> None:
    path = tmp_path / "clinics.json"
    zone = '"id": "a", "zone": "America/New_York", "clinicians": []'
    path.write_text(f'{{"version": "1", "clinics": [{{{zone}}}]}}')
    late, clinics = datetime(2026, 3, 2, 1, 0, tzinfo=UTC), Clinics.read(path)
    assert [clinics.today(id, late) for id in ("a", "b")] == [date(2026, 3, 1), date(2026, 3, 2)]


def test_referrals_are_spread_over_the_clinicians() -> None:
    clinicians = tuple(f"c{n}" for n in range(6))
    spread = Counter(assigned(clinicians, f"ref_{n}") for n in range(1200))
    assert set(spread) == set(clinicians)
    assert max(spread.values()) < 2 * min(spread.values())


@settings(deadline=None)
@given(st.text(max_size=40))
def test_the_same_referral_always_goes_to_the_same_clinician(id: str) -> None:
    clinicians = ("c1", "c2", "c3")
    assert assigned(clinicians, id) == assigned(clinicians, id)
    assert assigned(clinicians, id) in clinicians
