"""A scrape: the facts of the installation, and what the processes of this machine recorded.

Read `readers` first (who reads facts, and what other packages register), then `ledger`, `accounts` and `servers` (the
facts), `scrape` (the cache and the text), `guard` (who may scrape) and `exporter` (a server for a machine without web).
"""
