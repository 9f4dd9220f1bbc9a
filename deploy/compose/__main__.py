"""`python -m deploy.compose secrets`: passwords for docker-compose.yml. The rest runs in its containers.

`… prepare` sets up the servers, `… token --role clinician` prints a bearer token, `… demo` plays the demo,
`… receiver` receives the pages of the watchdog's clinic.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.compose import passwords
from deploy.embedded.keys import DEVELOPERS, development_token

SIGNING_KEY, JWKS = Path("/signing/development.json"), Path("/keys/jwks.json")
"""On two volumes, so that the services get only the public half."""

CONFIG = Path("/config")


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _parser().parse_args(arguments)
    if asked.command == "token":
        _token(asked.role, asked.clinic)
    elif asked.command == "secrets":
        new = passwords.ensure(asked.file)
        sys.stdout.write(f"{asked.file}: {', '.join(new) or 'nothing was missing'}\n")
    elif asked.command == "prepare":
        _prepare(asked.demo)
    elif asked.command == "receiver":
        from deploy.compose.receiving import receive  # noqa: PLC0415  (as below)

        asyncio.run(receive())
    else:
        from deploy.compose.demo import play  # noqa: PLC0415  (the play needs what a host may not have)

        raise SystemExit(
            asyncio.run(play(SIGNING_KEY, asked.people, asked.weeks, asked.seed, asked.referrals))
        )


def _token(role: str, clinic: str) -> None:
    try:
        token = development_token(SIGNING_KEY, role, clinic=clinic)
    except FileNotFoundError:
        raise SystemExit("there is no signing key yet: docker compose up makes one") from None
    sys.stdout.write(f"{token}\n")


def _prepare(demo: bool) -> None:
    from deploy.compose.prepare import prepare  # noqa: PLC0415  (as above)
    from deploy.compose.receiving import telephone  # noqa: PLC0415
    from deploy.watchdog.clinic import write_files  # noqa: PLC0415
    from shared.errors import SettingRefused  # noqa: PLC0415

    _, on_call = write_files(CONFIG, telephone())
    if demo:
        from deploy.compose.demo import set_the_stage  # noqa: PLC0415

        set_the_stage(on_call)
    try:
        asyncio.run(prepare(SIGNING_KEY, JWKS))
    except SettingRefused as refused:
        raise SystemExit(f"setup: {refused}") from None
    except KeyError as missing:
        raise SystemExit(f"setup: {missing.args[0]} is not set: python3 -m deploy.compose secrets") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deploy.compose", description="The servers of docker-compose.yml.")
    commands = parser.add_subparsers(dest="command", required=True)
    secrets = commands.add_parser("secrets", help="make the passwords that are missing; keeps those there")
    secrets.add_argument("--file", type=Path, default=Path(".env"))
    prepare = commands.add_parser(
        "prepare", help="replica set, users, rights, topics, keys; safe to run again"
    )
    prepare.add_argument("--demo", action="store_true", help="also the clock and the telephones of the demo")
    commands.add_parser("receiver", help="the telephone of the watchdog's clinic")
    token = commands.add_parser("token", help="print a bearer token that the services accept")
    token.add_argument("--role", choices=sorted(DEVELOPERS), required=True)
    token.add_argument("--clinic", default="*", help="the one clinic its holder may see; by default all")
    demo = commands.add_parser("demo", help="play whole courses of care; see kith demo --against compose")
    for name, value in {"people": 200, "weeks": 34, "seed": 7}.items():
        demo.add_argument(f"--{name}", type=int, default=value)
    demo.add_argument("--referrals", type=Path)
    return parser


if __name__ == "__main__":
    main()
