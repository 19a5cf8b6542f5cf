"""Bad settings are found before the first request."""

from __future__ import annotations

import base64
import os
import subprocess
import sys

import pytest
from pytest_django import Settings

from notifier.checks import leases_outlast_providers, refuse_insecure_boot, secrets_are_own, something_leaves
from notifier.settings import BASE_DIR, INSECURE_ENCRYPTION_KEY, INSECURE_SECRET_KEY

OWN = base64.urlsafe_b64encode(b"k" * 32).decode()


@pytest.mark.parametrize(
    ("debug", "secret", "keys", "expected"),
    [
        (False, "own", [OWN], []),
        (True, INSECURE_SECRET_KEY, [INSECURE_ENCRYPTION_KEY], []),
        (False, INSECURE_SECRET_KEY, [OWN], ["notifier.E001"]),
        (False, "own", [OWN, INSECURE_ENCRYPTION_KEY], ["notifier.E002"]),
        (True, "own", ["short"], ["notifier.E003"]),
        (True, "own", [], ["notifier.E003"]),
    ],
)
def test_production_needs_secrets_of_its_own(
    settings: Settings, debug: bool, secret: str, keys: list[str], expected: list[str]
) -> None:
    settings.DEBUG, settings.SECRET_KEY, settings.ENCRYPTION_KEYS = debug, secret, keys
    assert [found.id for found in secrets_are_own()] == expected


@pytest.mark.parametrize(("lease", "timeout", "expected"), [(30, 10.0, []), (10, 10.0, ["notifier.E004"])])
def test_a_lease_outlasts_a_provider(settings: Settings, lease: int, timeout: float, expected: list[str]) -> None:
    settings.LEASE_SECONDS, settings.PROVIDER_TIMEOUT_SECONDS = lease, timeout
    assert [found.id for found in leases_outlast_providers()] == expected


def test_a_server_with_default_secrets_does_not_boot_in_production(settings: Settings) -> None:
    settings.DEBUG, settings.SECRET_KEY = False, INSECURE_SECRET_KEY
    with pytest.raises(SystemExit, match=r"notifier\.E001"):
        refuse_insecure_boot()


def test_the_settings_boot_without_any_environment() -> None:
    bare = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=BASE_DIR, env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["PROVIDER_CONNECTIONS", "SHARD_SIZE"])
def test_settings_with_which_nothing_leaves_are_refused(settings: Settings, name: str) -> None:
    assert something_leaves() == []
    setattr(settings, name, 0)
    assert [(m.id, name in m.msg) for m in something_leaves()] == [("notifier.E005", True)]
