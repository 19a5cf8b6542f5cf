"""Runs single checks of the doctor against the tests' own servers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from django.db import connection

from notifier.channels.queues import queues
from notifier.delivery.accounts import health, registry
from notifier.delivery.infra import redis
from notifier.doctor.registry import DEFAULTS, Options, all_checks
from notifier.doctor.run import run_check

#: `look("name of a check")` -> "severity code: text" of each finding
Look = Callable[..., list[str]]


@pytest.fixture
def look(db: None, monkeypatch: pytest.MonkeyPatch) -> Look:
    if url := os.environ.get("WEB_DATABASE_URL", ""):
        # the database that these tests use
        monkeypatch.setenv("WEB_DATABASE_URL", f"{url.rpartition('/')[0]}/{connection.settings_dict['NAME']}")

    def run(name: str, options: Options = DEFAULTS) -> list[str]:
        (check,) = [check for check in all_checks() if check.name == name]
        found = run_check(check, options)
        return [f"{finding.kind.severity} {finding.kind.code}: {finding.text}" for finding in found]

    return run


@pytest.fixture(autouse=True)
def as_new() -> Iterator[None]:
    """What this process remembers of Redis and of accounts ends with the test. No tasks of other tests wait."""
    redis.client().delete(*queues())
    yield
    redis.reset()
    health.reset()
    registry.reset()
