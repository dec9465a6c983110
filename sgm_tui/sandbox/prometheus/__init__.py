"""The embedded Prometheus: series, alerting rules, and the HTTP API."""
