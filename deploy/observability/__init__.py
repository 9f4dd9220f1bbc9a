"""Prometheus, its rules and their tests; Grafana's dashboards, defined in Python."""
