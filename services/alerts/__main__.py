"""`python -m services.alerts`"""

from services.alerts.app import NAME, build
from services.alerts.settings import AlertsSettings
from shared.process import run

if __name__ == "__main__":
    run(NAME, AlertsSettings, build)
