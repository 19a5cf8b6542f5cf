"""What an email service's answer means for the message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.providers.common.batches import BatchProvider
from notifier.vocabulary.http import Response
from notifier.vocabulary.verdicts import Permanent, Temporary, Throttled, Verdict
from tests.providers.anymail.accounts import SERVICES, account
from tests.providers.anymail.answers import DEAD, ROWS, Row
from tests.providers.anymail.nonsense import ALL_JSON, paths, replaced


@pytest.mark.parametrize("number", range(len(ROWS)), ids=lambda n: f"{ROWS[n][0]}-{ROWS[n][1]}-{n}")
def test_an_answer_means(number: int) -> None:
    name, status, document, expected = ROWS[number]
    body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
    verdict = account(name).verdict_of(Response(status, {"content-type": "application/json"}, body))
    if expected is DEAD:
        assert isinstance(verdict, Permanent) and verdict.address_is_dead
    elif isinstance(expected, type):
        assert isinstance(verdict, expected), verdict
        assert not (isinstance(verdict, Permanent) and verdict.address_is_dead)
    else:
        assert verdict == expected
    assert "@b.example" not in str(verdict)


@pytest.mark.parametrize("name", SERVICES)
def test_what_all_services_share(name: str) -> None:
    service = account(name)
    for headers, after in [({"retry-after": "7"}, 7.0), ({}, None)]:
        verdict = service.verdict_of(Response(429, headers, b"{}"))
        assert isinstance(verdict, Throttled) and verdict.after == after
    assert service.verdict_of(Response(503, {}, b"")) == Temporary("503", unavailable=True)
    assert service.verdict_of(Response(502, {}, b"<html>")) == Temporary("502")
    assert isinstance(service.verdict_of(Response(400, {}, b"<html>not the service's own page")), Temporary)


@settings(max_examples=300)
@given(
    row=st.sampled_from(ROWS),
    choice=st.integers(0, 1000),
    junk=ALL_JSON,
    status=st.sampled_from([200, 202, 400, 422, 500]),
)
def test_an_answer_with_nonsense_in_it_gets_a_verdict(row: Row, choice: int, junk: Any, status: int) -> None:
    name, _, document, _ = row
    every = paths(document)
    body = json.dumps(replaced(document, every[choice % len(every)], junk)).encode()
    service = account(name)
    verdict = service.verdict_of(Response(status, {"content-type": "application/json"}, body))
    assert isinstance(verdict, Verdict)
    if isinstance(service, BatchProvider):
        for body_of_batch in (body, b"[%b]" % body):
            entries = service.entries(Response(status, {}, body_of_batch))
            assert all(isinstance(service.verdict_of(entry), Verdict) for entry in entries)
