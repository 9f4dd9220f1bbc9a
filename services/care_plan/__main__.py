"""`python -m services.care_plan` runs the service."""

from services.care_plan.app import NAME, build
from shared.process import run
from shared.settings import Settings

if __name__ == "__main__":
    run(NAME, Settings, build)
