"""Bad settings are found before the first request."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django import Settings

from notifier.checks import (
    hosts_are_named,
    leases_outlast_providers,
    measurements_can_be_kept,
    refuse_insecure_boot,
    scrapes_need_a_token,
    secrets_are_own,
    secrets_cannot_be_guessed,
    sending_is_possible,
    the_login_server_is_reached_by_https,
    the_pooler_is_known,
    web_can_answer,
)
from notifier.settings import BASE_DIR, INSECURE_ENCRYPTION_KEY, INSECURE_SECRET_KEY

OWN = base64.urlsafe_b64encode(bytes(range(32))).decode()
LONG = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("debug", "secret", "keys", "expected"),
    [
        (False, LONG, [OWN], []),
        (True, INSECURE_SECRET_KEY, [INSECURE_ENCRYPTION_KEY], []),
        (False, INSECURE_SECRET_KEY, [OWN], ["notifier.E001"]),
        (False, LONG, [OWN, INSECURE_ENCRYPTION_KEY], ["notifier.E002"]),
        (True, LONG, ["short"], ["notifier.E003"]),
        (True, LONG, [], ["notifier.E003"]),
    ],
)
def test_production_needs_secrets_of_its_own(
    settings: Settings, debug: bool, secret: str, keys: list[str], expected: list[str]
) -> None:
    settings.DEBUG, settings.SECRET_KEY, settings.ENCRYPTION_KEYS = debug, secret, keys
    assert [message.id for message in secrets_are_own()] == expected


@pytest.mark.parametrize(("lease", "timeout", "expected"), [(30, 10.0, []), (10, 10.0, ["notifier.E004"])])
def test_a_lease_outlasts_a_provider(settings: Settings, lease: int, timeout: float, expected: list[str]) -> None:
    settings.LEASE_SECONDS, settings.PROVIDER_TIMEOUT_SECONDS = lease, timeout
    assert [message.id for message in leases_outlast_providers()] == expected


@pytest.mark.parametrize(
    ("debug", "issuer", "expected"),
    [
        (False, "", []),
        (False, "https://id.example", []),
        (False, "http://id.example", ["notifier.E010"]),
        (True, "http://localhost:9400", []),
    ],
)
def test_the_login_server_of_production_has_https(
    settings: Settings, debug: bool, issuer: str, expected: list[str]
) -> None:
    settings.DEBUG, settings.OIDC_ISSUER = debug, issuer
    assert [message.id for message in the_login_server_is_reached_by_https()] == expected


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
    assert sending_is_possible() == []
    setattr(settings, name, 0)
    assert [(m.id, name in m.msg) for m in sending_is_possible()] == [("notifier.E005", True)]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SECRET_KEY", LONG, []),
        ("SECRET_KEY", "x", ["notifier.E006"]),
        ("SECRET_KEY", LONG[:49], ["notifier.E006"]),
        ("SECRET_KEY", "abcd" * 20, ["notifier.E006"]),
        ("SECRET_KEY", f"django-insecure-{LONG}", ["notifier.E006"]),
        ("SECRET_KEY_FALLBACKS", [LONG, "old"], ["notifier.E006"]),
        ("ENCRYPTION_KEYS", [OWN, base64.urlsafe_b64encode(bytes(32)).decode()], ["notifier.E007"]),
        ("ENCRYPTION_KEYS", [OWN, "malformed"], []),
        ("FLOWER_BASIC_AUTH", "", []),
        ("FLOWER_BASIC_AUTH", f"admin:{LONG}", []),
        ("FLOWER_BASIC_AUTH", "admin:secret", ["notifier.E008"]),
        ("FLOWER_BASIC_AUTH", "admin", ["notifier.E008"]),
    ],
)
def test_a_secret_that_can_be_guessed_is_refused_in_production(
    settings: Settings, name: str, value: object, expected: list[str]
) -> None:
    settings.DEBUG, settings.SECRET_KEY, settings.ENCRYPTION_KEYS, settings.FLOWER_BASIC_AUTH = False, LONG, [OWN], ""
    setattr(settings, name, value)
    assert [message.id for message in secrets_cannot_be_guessed()] == expected
    settings.DEBUG = True
    assert secrets_cannot_be_guessed() == []


@pytest.mark.parametrize(("hosts", "expected"), [(["a.example"], []), (["a.example", "*"], ["notifier.E009"])])
def test_production_names_its_hosts(settings: Settings, hosts: list[str], expected: list[str]) -> None:
    settings.DEBUG, settings.ALLOWED_HOSTS = False, hosts
    assert [message.id for message in hosts_are_named()] == expected


@pytest.mark.parametrize(("pool", "expected"), [(20, []), (8, []), (7, ["notifier.E011"])])
def test_each_kind_of_thread_of_the_web_process_has_a_connection(
    settings: Settings, pool: int, expected: list[str]
) -> None:
    settings.WEB_DATABASE_POOL = pool
    assert [message.id for message in web_can_answer()] == expected


PRODUCTION = {
    "DEBUG": "0",
    "ENCRYPTION_KEYS": OWN,
    "ALLOWED_HOSTS": "notifier.example",
    "SECURE_SSL_REDIRECT": "0",
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "WEB_DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}
DATABASE_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
PROGRAMS = {
    "web": ["-c", "import notifier.asgi"],
    "wsgi": ["-c", "import notifier.wsgi"],
    "manage.py": ["manage.py", "migrate"],
    "worker": ["-m", "celery", "-A", "notifier.celery", "worker", "-Q", "control", "--pool", "solo"],
    # with the scheduler of production: the default one writes its schedule into the working directory
    "beat": ["-m", "celery", "-A", "notifier.celery", "beat", "--scheduler", DATABASE_SCHEDULER],
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_program_starts_in_production_with_a_short_secret_key(program: str, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **PRODUCTION, "SECRET_KEY": "x"}
    command = [sys.executable, *PROGRAMS[program]]
    done = subprocess.run(command, cwd=BASE_DIR, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0
    output = done.stdout + done.stderr
    assert "notifier.E006" in output, output
    assert "openssl rand -hex 32" in output
    assert "OperationalError" not in output


@pytest.mark.parametrize(
    ("pooler", "role", "direct", "errors"),
    [
        ("", "engine", "", 0),
        ("transaction", "engine", "postgres://direct", 0),
        ("transaction", "engine", "", 1),
        ("transaction", "web", "", 0),
        ("session", "web", "", 1),
    ],
    ids=["none", "with a way around", "without a way around", "web needs none", "another mode"],
)
def test_a_pooler_needs_a_way_around_it(settings: Settings, pooler: str, role: str, direct: str, errors: int) -> None:
    settings.DATABASE_POOLER, settings.DATABASE_ROLE, settings.DATABASE_DIRECT_URL = pooler, role, direct
    assert [error.id for error in the_pooler_is_known()] == ["notifier.E013"] * errors


@pytest.mark.parametrize(("token", "expected"), [("", ["notifier.W003"]), ("s3cret", [])], ids=["none", "one"])
def test_production_should_have_a_token_for_scrapes(settings: Settings, token: str, expected: list[str]) -> None:
    settings.METRICS_TOKEN = token
    assert [warning.id for warning in scrapes_need_a_token()] == expected


def test_a_folder_of_metrics_that_cannot_be_used_is_found(settings: Settings, tmp_path: Path) -> None:
    tmp_path.joinpath("file").touch()
    folders = {"": 0, str(tmp_path): 0, str(tmp_path / "made" / "later"): 0, str(tmp_path / "file" / "below"): 1}
    for folder, warnings in folders.items():
        settings.METRICS_DIR = folder
        assert [warning.id for warning in measurements_can_be_kept()] == ["notifier.W004"] * warnings, folder
