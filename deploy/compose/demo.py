"""The demo inside the compose network: its clock is on a volume, its telephones run in this process."""

from pathlib import Path
from time import monotonic

from rich.console import Console

from deploy.compose.receiving import EVERYWHERE, webhook_secret
from deploy.demo.desks import Desks, development_tokens
from deploy.demo.performance import Performance, cast, perform
from deploy.demo.play import START
from deploy.demo.receiver import Receiver, listening
from deploy.embedded.plan import ROOT, SERVICES
from shared.clock import step

STAGE = Path("/clock")
CLOCK = STAGE / "clock"
HOST, PORT = "demo", 8080


def set_the_stage(on_call_file: Path) -> None:
    """Set the clock to the play's start and give people on call telephones, before any service starts."""
    step(CLOCK, START)
    Receiver(PORT, HOST).settings(on_call_file, STAGE)


async def play(signing_key: Path, people: int, weeks: int, seed: int, referrals: Path | None) -> int:
    """Play the demo; return the exit status: 0 when the books balance."""
    receiver, begun = Receiver(PORT, HOST, webhook_secret()), monotonic()
    lives = cast(referrals, people, seed, ROOT / "deploy" / "config" / "clinics.json")
    urls = {name: f"http://{name}:8000" for name in SERVICES}
    async with listening(receiver, EVERYWHERE), Desks(urls, development_tokens(signing_key)) as desks:
        out = Console(highlight=False)
        _, balanced = await perform(Performance(lives, weeks, begun), desks, CLOCK, receiver, out)
    return 0 if balanced else 1
