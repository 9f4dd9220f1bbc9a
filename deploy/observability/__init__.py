"""Prometheus, its rules and their tests; Grafana's dashboards, written down in Python."""
