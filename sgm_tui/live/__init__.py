"""Observed state: watches and polls of clusters and Prometheus. Raw bytes enter here and leave as domain values."""
