"""Grafana's dashboards: `python -m deploy.observability.dashboards` writes the JSON that Grafana reads."""

import json
from pathlib import Path
from typing import Any

from deploy.observability.panels import DASHBOARDS, Panel

FOLDER = Path(__file__).parent / "grafana" / "dashboards"
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
WIDTH, HEIGHT = 8, 8
"""Three panels side by side, in Grafana's 24 columns."""


def document(name: str) -> dict[str, Any]:
    """A dashboard as Grafana reads it."""
    title, panels = DASHBOARDS[name]
    return {
        "uid": f"kith-{name}",
        "title": title,
        "tags": ["kith"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": PROMETHEUS,
        "gridPos": {"x": number % 3 * WIDTH, "y": number // 3 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {"thresholdsStyle": {"mode": "off" if panel.limit is None else "line"}},
            },
            "overrides": [],
        },
        "targets": [
            {"refId": chr(ord("A") + place), "expr": expression, "legendFormat": legend, "exemplar": True}
            for place, (legend, expression) in enumerate(panel.lines.items())
        ],
    }


def written(name: str) -> str:
    return json.dumps(document(name), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(written(name))


if __name__ == "__main__":
    main()
