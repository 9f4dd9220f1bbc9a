"""`python -m services.dashboard`."""

from services.dashboard.app import NAME, build
from services.dashboard.settings import DashboardSettings
from shared.process import run

if __name__ == "__main__":
    run(NAME, DashboardSettings, build)
