"""`kith`: one module per command, each with a `register(app)` and slow imports inside the functions."""

import errno
import importlib
import sys

import typer

from deploy.cli.console import console

COMMANDS = (
    "up",
    "demo",
    "down",
    "status",
    "clock",
    "import_file",
    "trace",
    "books",
    "dead_letters",
    "outbox",
    "dashboard",
    "backup",
    "migrations",
    "topics",
    "doctor",
    "token",
    "reset",
)
"""Modules of `deploy.cli`, in the order of `kith --help`, where groups (`kith outbox …`) come last.

To add a command, add its module here.
"""


def application() -> typer.Typer:
    app = typer.Typer(
        name="kith",
        help="Coordinates Interpersonal Psychotherapy: nothing expected disappears quietly.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_show_locals=False,  # locals may hold tokens and what people wrote
    )
    for name in COMMANDS:
        importlib.import_module(f"deploy.cli.{name}").register(app)
    return app


def main() -> None:
    """Run the command line. File system errors end it in one line: another folder or more space helps."""
    try:
        application()()
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        said = f"{error.filename}: {error.strerror}" if error.filename else f"{error.strerror}"
        console(stderr=True).print(f"{said}. Folders are chosen with --data.", style="red", markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
