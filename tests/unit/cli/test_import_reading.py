"""Files as people have them: each is read, or refused with a sentence that says what to do."""

import gzip
from pathlib import Path

import pytest

from deploy.cli.importing.reading import MAX_LINE, Unusable, read, source
from deploy.cli.importing.report import advice
from services.intake.forms import ImportRow
from services.intake.importing import RowError

ROWS = "external_id,given_name,note\nr1,Ada,\nr2,Grace,\n"
ANSWERS = Path(__file__).parents[4] / "shared" / "data" / "nhanes_2017_2018_dpq.csv"


def file(folder: Path, content: str | bytes, name: str = "people.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def names(path: Path, format: str | None = None) -> list[str | None]:
    found = []
    for _, row in read(source(path, format)):
        assert isinstance(row, ImportRow), row
        found.append(row.person.given_name)
    return found


def refusal(path: Path, format: str | None = None) -> str:
    with pytest.raises(Unusable) as refused:
        list(read(source(path, format)))
    return str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        ROWS,
        "\ufeff" + ROWS,
        ROWS.replace("\n", "\r\n"),
        ROWS.rstrip("\n"),
        ROWS.replace("Ada", '"Ada"'),
        ROWS + "\n\n",
        "note,external_id,given_name\n,r1,Ada\n,r2,Grace\n",
    ],
    ids=["plain", "byte order mark", "CRLF", "no last newline", "quotes", "empty lines", "other order"],
)
def test_a_table_is_read_however_it_was_saved(content: str, tmp_path: Path) -> None:
    path = file(tmp_path, content)
    assert names(path) == ["Ada", "Grace"]
    assert source(path, None).rows == 2


def test_a_quoted_cell_may_hold_commas_quotes_and_lines(tmp_path: Path) -> None:
    path = file(tmp_path, 'external_id,note\nr1,"one, ""two""\nthree"\nr2,\n')
    first, second = [row for _, row in read(source(path, None))]
    assert isinstance(first, ImportRow)
    assert first.person.note == 'one, "two"\nthree'
    assert isinstance(second, ImportRow)
    assert source(path, None).rows == 2


def test_rows_that_two_stray_quotes_swallow_are_refused_by_name(tmp_path: Path) -> None:
    stray = 'external_id,given_name,note\nr1,Ada,"sad\nr2,Grace,in danger\nr3,Mary,5\'6"\nr4,Jean,\n'
    (_, swallowed), (_, whole) = read(source(file(tmp_path, stray), None))
    assert isinstance(swallowed, RowError)
    assert swallowed.codes == ("rows_in_a_cell",)
    assert "quote" in advice("rows_in_a_cell", "csv")
    assert isinstance(whole, ImportRow)


def test_objects_a_line_are_read_with_empty_lines_between(tmp_path: Path) -> None:
    line = '{"external_id": "r1", "person": {"given_name": "Ada"}}\r\n'
    assert names(file(tmp_path, line + "\r\n" + line.replace("r1", "r2"), "people.jsonl")) == ["Ada", "Ada"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\n \n", "missing: external_id"),
        ("external_id\n", "a header and no rows"),
        (b"PK\x03\x04\x00\x00", "not a text file"),
        (gzip.compress(b"external_id\nr1\n" * 50, mtime=0), "not "),
        ("external_id\nr1\n".encode("utf-16"), "is UTF-16: save it as UTF-8"),
        (b"external_id,given_name\nr1,Ada\nr2,Zo\xeb\n", "line 3: not UTF-8"),
        ("external_id\n" + "x" * (MAX_LINE + 1), "line 2: longer than 1,000,000 bytes"),
        ("external_id\n" + "x" * 10_000_000 + "\nr2\n", "line 2: longer than"),
        ('external_id,note\nr1,fine\nr2,"not closed\nr3,\n', "after row 1: no CSV"),
        ('external_id,note\nr1,"closed"later\n', "after row 0: no CSV"),
        ("given_name\nAda\n", "missing: external_id"),
        ("external_id,crisis,crisis\nr1,yes,\n", "more than once: crisis"),
        ("external_id,givenname\nr1,Ada\n", "not known: 1 (meant: given_name?)"),
    ],
)
def test_a_file_that_cannot_be_imported_is_refused_before_a_row_is_sent(
    content: str | bytes, said: str, tmp_path: Path
) -> None:
    with pytest.raises(Unusable, match=r"people\.csv") as refused:
        source(file(tmp_path, content), None)
    assert said in str(refused.value)


def test_a_table_without_a_header_is_refused_without_showing_who_is_in_it(tmp_path: Path) -> None:
    said = refusal(file(tmp_path, "r1,Ada Lovelace,555 0100\nr2,Grace Hopper,555 0101\n"))
    assert "not known: 3" in said
    for word in ("Ada", "Lovelace", "555", "r1"):
        assert word not in said


def test_an_empty_file_of_objects_is_empty(tmp_path: Path) -> None:
    assert "is empty" in refusal(file(tmp_path, "\n\n", "people.ndjson"))


def test_what_is_no_file_or_of_no_known_kind_is_said(tmp_path: Path) -> None:
    assert "is no file" in refusal(tmp_path / "people.csv")
    assert "is no file" in refusal(tmp_path, "csv")
    assert "--format csv|ndjson|nhanes" in refusal(file(tmp_path, ROWS, "people.txt"))
    assert "choose csv, ndjson, nhanes" in refusal(file(tmp_path, ROWS), "xml")


@pytest.mark.skipif(not ANSWERS.exists(), reason="the survey's answers are not on this machine")
def test_the_survey_s_columns_are_recognised(tmp_path: Path) -> None:
    assert "--format nhanes" in refusal(ANSWERS)
    assert source(ANSWERS, "nhanes").rows == 2772
