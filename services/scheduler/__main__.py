"""`python -m services.scheduler`."""

from services.scheduler.app import NAME, build
from shared.process import run
from shared.settings import Settings

if __name__ == "__main__":
    run(NAME, Settings, build)
