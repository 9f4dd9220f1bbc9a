"""What the README says can be run can be run, and all of it is there."""

import re
from pathlib import Path

import typer

from deploy.cli.main import application

README = Path(__file__).parents[2] / "README.md"


def listed() -> str:
    """The commands under "Then"."""
    return README.read_text().partition("### Then\n\n```\n")[2].partition("```")[0]


def commands() -> set[str]:
    return set(typer.main.get_group(application()).commands)


def test_the_list_of_commands_names_every_command() -> None:
    words = set(re.findall(r"[a-z]+(?:-[a-z]+)*", listed()))
    assert commands() - words == set()


def test_the_list_of_commands_names_no_command_that_is_gone() -> None:
    first = re.findall(r"^\.venv/bin/kith (.*?)(?:  |$)", listed(), re.MULTILINE)
    named = {command.split()[0] for line in first for command in line.split("|")}
    assert named - commands() == set()
