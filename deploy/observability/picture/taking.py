"""Queries and draws all dashboards into a folder; Chromium renders them as PNGs."""

import re
import shutil
import subprocess
from pathlib import Path

from deploy.observability.asking import Asking, span_of
from deploy.observability.panels import DASHBOARDS
from deploy.observability.picture.drawing import dashboard

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
RENDER_SECONDS = 60
SIZE = re.compile(r"width='(\d+)' height='(\d+)'")


class CannotRender(Exception):
    """No browser is installed, or rendering failed."""


def take(prometheus: Asking, folder: Path, start: float, end: float) -> list[str]:
    """Draw every dashboard; return the panels without data. Raises `NotAccepted`, `LookupError`."""
    folder.mkdir(parents=True, exist_ok=True)
    scrape, empty = prometheus.scrape_seconds(), []
    span = span_of(start, end, scrape)
    for name, (title, panels) in DASHBOARDS.items():
        drawn = [(panel, prometheus.panel(panel, span, scrape)) for panel in panels]
        empty += [
            f"{name}: {panel.title}" for panel, lines in drawn if not any(line.points for line in lines)
        ]
        (folder / f"{name}.svg").write_text(dashboard(title, drawn, span))
    return empty


def render(folder: Path) -> None:
    """Render each dashboard's SVG in the folder as a PNG beside it. Raises `CannotRender`."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise CannotRender("no Chromium here: apt-get install chromium")
    for name in DASHBOARDS:
        picture = (folder / f"{name}.svg").resolve()
        size = SIZE.search(picture.read_text())
        assert size is not None  # noqa: S101 (we have written it)
        command = [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *(f"--window-size={size[1]},{size[2]}", f"--screenshot={picture.with_suffix('.png')}"),
            picture.as_uri(),
        ]
        ended = subprocess.run(command, capture_output=True, timeout=RENDER_SECONDS, check=False)  # noqa: S603
        if ended.returncode != 0:
            raise CannotRender(ended.stderr.decode(errors="replace")[-300:])
