"""Metrics for Prometheus (docs/metrics.md, decision 048).

`recording` is what processes measure of themselves: the engine, the web process and workers call it. `scraping` reads
the facts of the installation from PostgreSQL and Redis, adds what the processes of this machine recorded, and answers
the scrape: /metrics of the web process, or `manage.py metrics_exporter`.
"""
