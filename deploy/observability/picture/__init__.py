"""Pictures of the dashboards, drawn without Grafana from their queries to a running Prometheus."""
