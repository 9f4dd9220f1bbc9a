"""Who a patient is. Names, contacts and free text stay in this document and in this database."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, computed_field

from services.intake.domain.names import filed_as, words_of

Sex = Literal["female", "male", "other", "unknown"]
Compared = Literal["same", "other", "unknown"]


class Identity(BaseModel):
    """What a referrer reports about a person; absent fields change nothing."""

    model_config = ConfigDict(frozen=True)

    external_id: str | None = None
    """The clinic's own number for this person."""
    given_name: str | None = None
    family_name: str | None = None
    birth_date: date | None = None
    sex: Sex | None = None
    email: str | None = None
    phone: str | None = None
    note: str | None = None
    """Free text."""


class Person(Identity):
    id: str
    """The patient id."""
    patient_id: str
    clinic_id: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def words(self) -> tuple[str, ...]:
        """Search words for this person (`services.intake.domain.names`), stored with them.

        If the rule changes, rename this field: the migration only adds a field that is missing.
        """
        return words_of(self.given_name, self.family_name, self.external_id, self.birth_date)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def filed_as(self) -> str:
        """Sort key in a list by name."""
        return filed_as(self.given_name, self.family_name)

    def is_somebody_else(self, told: Identity, age: int | None = None, told_age: int | None = None) -> bool:
        """Whether `told` describes another person: by the number, else by the birth date or both names.

        An equal number means this person, and corrects the other fields. If neither the birth date nor both
        names are equal, differing sex or age also means another person.
        """
        if self.external_id is not None and told.external_id is not None:
            return self.external_id != told.external_id
        born, named = _compared(self.birth_date, told.birth_date), self._compared_names(told)
        if born == "other" or named == "other":
            return True
        if born == "same" or named == "same":
            return False
        sexes = {self.sex, told.sex} - {None, "unknown"}
        return len(sexes) > 1 or (age is not None and told_age is not None and abs(age - told_age) > 1)

    def has_number_of_another(self, told: Identity) -> bool:
        """Whether a new referral has the wrong number: birth date and both names are somebody else's."""
        return (
            _compared(self.birth_date, told.birth_date) == "other" and self._compared_names(told) == "other"
        )

    def _compared_names(self, told: Identity) -> Compared:
        given = _compared(filed_as(self.given_name, None), filed_as(told.given_name, None))
        family = _compared(filed_as(None, self.family_name), filed_as(None, told.family_name))
        return given if given == family else "unknown"

    def told(self, identity: Identity) -> "Person":
        return self.model_copy(update=identity.model_dump(exclude_none=True, include=FIELDS))


FIELDS = set(Identity.model_fields)


def _compared(known: object, told: object) -> Compared:
    if not (known and told):
        return "unknown"
    return "same" if known == told else "other"


def age_on(birth_date: date, today: date) -> int:
    """Full years. Someone born on 29 February turns a year older on 1 March of other years."""
    before_birthday = (today.month, today.day) < (birth_date.month, birth_date.day)
    return today.year - birth_date.year - before_birthday
