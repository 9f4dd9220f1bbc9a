"""`python -m deploy.compose`: prepare the servers; `… token --role clinician`: a bearer token for them."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.compose.prepare import prepare
from deploy.embedded.keys import DEVELOPERS, development_token

SIGNING_KEY, JWKS = Path("/signing/development.json"), Path("/keys/jwks.json")
"""Two volumes: the services are given the public half alone."""


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _parser().parse_args(arguments)
    if asked.command == "token":
        try:
            token = development_token(SIGNING_KEY, asked.role, clinic=asked.clinic)
        except FileNotFoundError:
            raise SystemExit("there is no signing key yet: docker compose up makes one") from None
        sys.stdout.write(f"{token}\n")
    else:
        asyncio.run(prepare(SIGNING_KEY, JWKS))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deploy.compose", description="The servers of docker-compose.yml.")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("prepare", help="replica set, topics, development keys; safe to run again")
    token = commands.add_parser("token", help="print a bearer token that the services accept")
    token.add_argument("--role", choices=sorted(DEVELOPERS), required=True)
    token.add_argument("--clinic", default="*", help="the one clinic its holder may see; by default all")
    return parser


if __name__ == "__main__":
    main()
