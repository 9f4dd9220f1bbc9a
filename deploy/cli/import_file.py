"""`kith import`: import referrals from a file; importing it again creates no duplicates."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.client import Address, Client, Deployment, Failed, deployment
from deploy.cli.console import DATA, DataFolder, console, fail
from deploy.embedded.plan import ROOT

if TYPE_CHECKING:
    from rich.progress import Progress

    from deploy.cli.importing.reading import Source
    from deploy.cli.importing.sending import Tally

NOTHING_SENT, INTERRUPTED = 2, 130
BECAME = ("created", "updated", "unchanged", "to be mended")
"""A row's possible outcomes. Rows with none of these count as not confirmed, so that the counts add up."""

CLINICS = ROOT / "deploy" / "config" / "clinics.json"


def register(app: typer.Typer) -> None:
    app.command("import")(import_file)


def import_file(
    file: Annotated[Path, typer.Argument(help="UTF-8; a row a line, in CSV under a header.")],
    format: Annotated[
        str | None,
        typer.Option(help="csv, ndjson or nhanes (the survey's columns); by default, from the file's name."),
    ] = None,
    clinic: Annotated[
        str | None,
        typer.Option(
            help="For rows that name no clinic.",
            show_default="on this machine the first of deploy/config/clinics.json, else the token's",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Where to write what is to be mended.", show_default="NAME-errors.csv")
    ] = None,
    retry_for: Annotated[
        float, typer.Option(min=0, help="Seconds for which a request is tried again when intake is away.")
    ] = 120.0,
    data: DataFolder = DATA,
    url: Address = "",
) -> None:
    """Send the referrals of a file to intake.

    It may be interrupted and run again any number of times: rows are identified by their external id.
    Exit status 1 if rows need correction or were not sent, 2 if nothing could be sent.
    """
    from deploy.cli.importing.reading import Unusable, source
    from deploy.cli.importing.sending import Tally

    try:
        found = source(file, format)
    except Unusable as unusable:
        fail(str(unusable), code=NOTHING_SENT)
    target = deployment(data, url, "service")
    report = report or Path(f"{file.stem}-errors.csv")
    _require_writable(report)
    clinic, tally = clinic or _own_clinic(target), Tally()
    if clinic:
        said = f"Rows that name no clinic go to {clinic}; another is chosen with --clinic."
        console(stderr=True).print(said, markup=False, soft_wrap=True)
    problem, code = _sent(found, target, clinic, tally, retry_for)
    _tell(found, tally, report)
    if problem:
        # Rows may be stored even if interrupted before any answer: so never "nothing sent".
        fail(problem, code=code if tally.sent or code == INTERRUPTED else NOTHING_SENT)
    raise typer.Exit(NOTHING_SENT if not tally.sent else 1 if tally.errors else 0)


def _own_clinic(target: Deployment) -> str | None:
    """The first clinic, for this machine's stack; for other deployments the token determines the clinic."""
    if not target.embedded:
        return None
    import json

    return str(json.loads(CLINICS.read_text())["clinics"][0]["id"])


def _require_writable(report: Path) -> None:
    """Check, before anything is sent, that the report can be written and overwrites no other file."""
    from deploy.cli.importing.report import is_report

    draft = report.with_name(report.name + ".draft")
    try:
        if report.exists() and not is_report(report):
            fail(f"--report {report}: is there, and is no report of ours", code=NOTHING_SENT)
        draft.touch()
        draft.unlink()
    except OSError as error:
        fail(f"--report {report}: cannot be written ({error.strerror})", code=NOTHING_SENT)


def _sent(
    source: "Source", target: Deployment, clinic: str | None, tally: "Tally", patience: float
) -> tuple[str, int]:
    """Send the whole file; return what ended it early with the exit status, or `("", 0)`."""
    from deploy.cli.importing.reading import Unusable

    try:
        with _progress() as progress:
            asyncio.run(_send(source, target, clinic, tally, patience, progress))
    except KeyboardInterrupt:
        return "interrupted; run it again to go on, nothing is made twice", INTERRUPTED
    except Failed as failed:
        return f"{failed}\nRun it again to go on; nothing is made twice.", 1
    except Unusable as unusable:
        return str(unusable), 1
    return "", 0


async def _send(
    source: "Source",
    target: Deployment,
    clinic: str | None,
    tally: "Tally",
    patience: float,
    progress: "Progress",
) -> None:
    from stamina.instrumentation import set_on_retry_hooks

    from deploy.cli.importing.reading import read
    from deploy.cli.importing.sending import Sending, batches

    set_on_retry_hooks([])  # the default hooks would write into the progress bar
    task = progress.add_task("Sending", total=source.rows, trouble="")

    def show(trouble: str = "") -> None:
        progress.update(task, completed=tally.sent, trouble=trouble)

    async with Client(target) as client:
        sending = Sending(client, clinic, tally, patience, progress=show, trouble=show)
        try:
            await sending.send_all(batches(read(source), tally))
        finally:
            show()  # clears the trouble text: the failure is reported once, at the end


def _progress() -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[trouble]}", style="yellow", markup=False),
        console=console(stderr=True),
    )


def _tell(source: "Source", tally: "Tally", report: Path) -> None:
    from deploy.cli.importing.report import write

    out = console()
    out.print(f"{source.rows:,} rows", markup=False, soft_wrap=True)
    for name, count in _counts(source, tally).items():
        out.print(f"  {name:<20}{count:>9,}")
    if tally.crisis_support:
        out.print(tally.crisis_support, style="bold", markup=False, soft_wrap=True)
    if tally.errors or (tally.sent and report.exists()):
        write(report, tally.errors, source.format)
    if tally.errors:
        out.print(f"What to mend: {report}", markup=False, soft_wrap=True)


def _counts(source: "Source", tally: "Tally") -> dict[str, int]:
    counts = {
        "created": tally.created,
        "updated": tally.updated,
        "unchanged": tally.unchanged,
        "to be mended": len(tally.errors),
        "crisis flags raised": tally.flagged,
    }
    unconfirmed = max(0, source.rows - sum(counts[name] for name in BECAME))
    return counts | ({"not confirmed": unconfirmed} if unconfirmed else {})
