"""`kith import` sums up: every row is in one count."""

from pathlib import Path

from deploy.cli.import_file import BECAME, _counts
from deploy.cli.importing.reading import Source
from deploy.cli.importing.sending import Tally


def test_the_counts_of_an_import_that_ended_early_add_up_to_its_rows() -> None:
    none_sent = Tally(errors={2: ("age:int_type",), 4: ("not_json",)})
    counts = _counts(Source(Path("people.csv"), "csv", 5), none_sent)
    assert counts["not confirmed"] == 3
    assert sum(counts[name] for name in (*BECAME, "not confirmed")) == 5


def test_a_row_that_was_sent_and_refused_is_not_called_unconfirmed() -> None:
    whole = Tally(sent=3, created=1, unchanged=1, errors={3: ("person_differs",)})
    assert "not confirmed" not in _counts(Source(Path("people.csv"), "csv", 3), whole)
