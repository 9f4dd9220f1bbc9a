"""`kith`: one module per command, each with a `register(app)`; they import what is slow when they run."""

import importlib

import typer

COMMANDS = (
    "up",
    "demo",
    "down",
    "status",
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
"""Modules of `deploy.cli`, in the order of `kith --help`. A new command is a line here."""


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
    application()()


if __name__ == "__main__":
    main()
