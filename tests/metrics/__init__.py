"""Metrics: what processes record, what a scrape reads, alerts and dashboards."""
