"""A few minutes of live work on real servers, watched by Prometheus: dashboards have something to show."""
