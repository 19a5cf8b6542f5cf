"""One-command start: PostgreSQL and Valkey from PyPI wheels, a process supervisor, the stack of demo and tests.

For development, evaluation and CI. Production runs a managed or packaged PostgreSQL and Redis: see docker-compose.yml.
"""
