"""`python -m services.intake`."""

from services.intake.app import NAME, build
from shared.process import run
from shared.settings import Settings

if __name__ == "__main__":
    run(NAME, Settings, build)
