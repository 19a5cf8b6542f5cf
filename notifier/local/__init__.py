"""Starts the whole of Notifier on one machine, for development, evaluation and CI: `python -m notifier.local demo |
up`.

`make demo`, `make up`, the flow tests and `bench` call `stack`; the other tests call `testing`. Neither needs Django.

stack        the servers and every process of the product, under one folder
servers      PostgreSQL and Valkey from PyPI wheels, or those that the environment names
processes    starts, watches, restarts and stops programs
secret_file  KEY=VALUE files: the generated secrets, and the addresses of what runs
console      lines for the terminal

Production runs a managed or packaged PostgreSQL and Redis: see docker-compose.yml.
"""
