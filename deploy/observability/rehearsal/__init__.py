"""A few minutes of live load on real servers, scraped by Prometheus, to fill the dashboards."""
