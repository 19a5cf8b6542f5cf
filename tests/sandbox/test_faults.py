"""Faults of one service or channel, and the report of all channels."""

from __future__ import annotations

import smtplib
import urllib.error
from typing import Any

import pytest

from tests.sandbox.process import Sandbox
from tests.sandbox.test_fcm import a_message, ask, google_token
from tests.sandbox.test_outbox import a_mail, deliver


def push(sandbox: Sandbox) -> int:
    return ask(sandbox, a_message(), google_token(sandbox))[0]


@pytest.mark.parametrize("name", ["fcm", "push"])
def test_a_service_that_is_down_leaves_the_others_alone(sandbox: Sandbox, name: str) -> None:
    sandbox.faults(services={name: {"down": True}})
    assert push(sandbox) == 503
    deliver(sandbox, a_mail())
    sandbox.faults(services={name: {"down": False}})
    assert push(sandbox) == 200
    assert sandbox.report()["services"] == {"fcm": {"503": 1, "200": 1}, "smtp": {"250": 1}}


def test_what_a_service_that_is_down_would_only_read_is_refused_too(sandbox: Sandbox) -> None:
    """SendGrid's scopes are what "test connection" reads."""
    sandbox.faults(services={"sendgrid": {"down": True}})
    with pytest.raises(urllib.error.HTTPError, match="503"):
        sandbox.get("/v3/scopes")


def test_a_mail_server_that_is_down_answers_421(sandbox: Sandbox) -> None:
    sandbox.faults(services={"smtp": {"down": True}})
    with pytest.raises(smtplib.SMTPConnectError, match="421"):
        deliver(sandbox, a_mail())
    assert push(sandbox) == 200


def test_the_worst_of_several_values_counts(sandbox: Sandbox) -> None:
    sandbox.faults(error_rate=1.0, services={"fcm": {"error_rate": 0.0}})
    assert push(sandbox) == 503
    with pytest.raises(smtplib.SMTPDataError, match="451"):
        deliver(sandbox, a_mail())
    sandbox.reset()
    assert sandbox.get("/_faults")["services"] == {}
    assert push(sandbox) == 200


@pytest.mark.parametrize(
    "services", [{"no_such": {"down": True}}, {"fcm": {"goaway_every": 1}}, {"fcm": {"down": 1}}, {"fcm": []}, 3]
)
def test_a_fault_that_does_not_fit_changes_nothing(sandbox: Sandbox, services: Any) -> None:
    before = sandbox.get("/_faults")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        sandbox.faults(latency_ms=5, services=services)
    assert sandbox.get("/_faults") == before


def test_each_channel_is_counted_by_itself(sandbox: Sandbox) -> None:
    token = google_token(sandbox)
    for _ in range(2):
        ask(sandbox, a_message("same"), token)
    deliver(sandbox, a_mail())
    report = sandbox.report(detail=10)
    counts = {name: (c["accepted"], c["unique"], c["duplicates"]) for name, c in report["channels"].items()}
    assert counts == {"push": (2, 1, 1), "email": (1, 1, 0)}
    assert (report["accepted"], report["unique"], report["duplicates"]) == (3, 2, 1)
    assert [m["channel"] for m in report["messages"]] == ["push", "push", "email"]
    assert [m["channel"] for m in sandbox.get("/_report?detail=1&channel=email")["messages"]] == ["email"]
