"""Pictures of the dashboards, drawn from their own queries to a running Prometheus: not by Grafana."""
