"""docs/not-yet.md is true: each entry is looked for in the code, and must not be there."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.apps import apps
from django.urls import Resolver404, resolve

from campaigns.states import State
from notifier.local.processes.programs import PROJECT
from notifier.providers.smtp import SmtpConfig
from notifier.vocabulary.http import Request
from tenants.models import Recipient
from tests.pages import NOT_YET, SOURCES


def fields(model: str) -> set[str]:
    return {field.name for field in apps.get_model(model)._meta.get_fields()}


def is_address(path: str) -> bool:
    """Whether a view of its own answers there. Views for every other address answer 404, and are no sign of one."""
    others = {resolve(other).func.__name__ for other in ("/v1/no-such-address", "/admin/no-such-address")}
    try:
        return resolve(path).func.__name__ not in others
    except Resolver404:
        return False


def in_sources(pattern: str) -> bool:
    return any(re.search(pattern, path.read_text()) for path in SOURCES)


def has_dependency(name: str) -> bool:
    return name in (PROJECT / "pyproject.toml").read_text()


#: entry -> whether the thing has come
HAS_COME: dict[str, Callable[[], bool]] = {
    "A DKIM key for each sender": lambda: any("dkim" in name for name in fields("notifier.Sender")),
    "A login by OAuth 2": lambda: any("token" in name for name in SmtpConfig.__dataclass_fields__),
    "A check that an address exists": lambda: in_sources(r"\bVRFY\b"),
    "Answers to an SMS": lambda: any(
        re.search("inbound|reply", kind.__name__, re.IGNORECASE) for kind in apps.get_models()
    ),
    "Pictures by SMS or chat": lambda: in_sources(r"\bMediaUrl\b"),
    "Clicks of a campaign by link": lambda: "url" in fields("notifier.EngagementCount"),
    "TLS client certificates": lambda: any("cert" in name for name in Request.__dataclass_fields__),
    "A campaign that ends as `failed`": lambda: in_sources(r"move\([^)]*State\.FAILED"),
    "A filter of dead letters by account": lambda: any("account" in name for name in fields("notifier.DeadLetter")),
}


def entries() -> list[str]:
    return re.findall(r"^\| \*\*(.+?)\*\*", NOT_YET, re.MULTILINE)


def test_every_entry_can_be_looked_for() -> None:
    assert entries() == list(HAS_COME)


@pytest.mark.parametrize("entry", HAS_COME)
def test_what_is_not_there_yet_is_not_there(entry: str) -> None:
    assert not HAS_COME[entry](), f"{entry} has come: take it off docs/not-yet.md"


def test_the_looks_find_what_is_there() -> None:
    """A look that finds nothing whatever it is asked would let every entry pass."""
    assert is_address("/v1/notifications") and is_address("/admin/login/") and not is_address("/v1/nothing")
    assert in_sources(r"move\([^)]*State\.RUNNING") and has_dependency("django")
    assert "canary_percent" in fields("campaigns.Campaign")
    assert "dkim_selector" in SmtpConfig.__dataclass_fields__ and "kind" in fields("notifier.EngagementCount")
    assert Recipient.State.ERASED and State.FAILED  # the names that the page says exist
