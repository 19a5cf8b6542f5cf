"""What one tenant can learn of, or do to, another over the API: nothing. Every operation of the OpenAPI document is
called with the other's ids; what it answers is what it answers for an id that nobody has."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.flows.http import Answer, Caller, query
from tests.flows.openapi import Operation, operations
from tests.flows.pair import OTHERS, Side

HIDDEN = (401, 403, 404)


def unknown(names: list[str]) -> dict[str, list[str]]:
    """Ids that nobody has."""
    return {name: [OTHERS[name].format("nobody") if name in OTHERS else str(uuid.uuid4())] for name in names}


@pytest.fixture(scope="module")
def stranger(pair: tuple[Side, Side]) -> dict[str, list[str]]:
    """The other tenant's ids. An id with a name of which nothing is known stands for all of them."""
    return pair[1].ids()


def ids_for(operation: Operation, known: dict[str, list[str]]) -> dict[str, list[str]]:
    everything = sorted({one for several in known.values() for one in several})
    return {name: known.get(name, everything) for name in operation.parameters}


def callers(side: Side) -> Iterator[Caller]:
    """Its key, its test key, and its own person's inbox token."""
    yield side.tenant.api
    yield side.tenant.with_key(side.tenant.papers.test_key)
    yield side.tenant.inbox(side.person).api


def leaks(answer: Answer, other: Side) -> list[str]:
    return [word for word in other.secrets if word in answer.text or word in str(answer.headers)]


def test_no_operation_shows_or_touches_a_row_of_another_tenant(
    pair: tuple[Side, Side], stranger: dict[str, list[str]]
) -> None:
    ours, theirs = pair
    before = theirs.snapshot()
    assert any(theirs.word in str(seen) for seen in before.values()), "there must be something to see"
    wrong: list[str] = []
    tried = 0
    for caller in callers(ours):
        for operation in operations(ours.tenant.api):
            nobody = next(operation.addresses(unknown(operation.parameters)))
            expected = caller.call(operation.method.upper(), nobody, operation.body).status
            for address in operation.addresses(ids_for(operation, stranger)):
                answer = caller.call(operation.method.upper(), address, operation.body)
                tried += 1
                wrong += judge(operation, address, answer, expected, theirs)
    assert wrong == []
    assert tried > 100
    assert theirs.snapshot() == before


def judge(operation: Operation, address: str, answer: Answer, expected: int, theirs: Side) -> list[str]:
    told = f"{operation.method.upper()} {address}: {answer.status}"
    wrong = [f"{told} shows {word}" for word in leaks(answer, theirs)]
    if (operation.parameters and answer.status != expected) or answer.status >= 500:
        wrong.append(f"{told}, and {expected} for an id that nobody has")
    # ids that we give out belong to one tenant; names that tenants choose may be used by both
    if set(operation.parameters) - set(OTHERS) and answer.status not in HIDDEN:
        wrong.append(f"{told} instead of one of {HIDDEN}")
    return wrong


def test_another_tenants_ids_in_a_body_are_unknown_ids(pair: tuple[Side, Side]) -> None:
    ours, theirs = pair
    theirs.tenant.person("guest")
    theirs.tenant.publish("letter", "promotions")
    audience = theirs.tenant.list_of(["guest"])
    before = theirs.snapshot()
    calls: list[tuple[str, dict[str, str], str, str]] = [
        ("/v1/notifications", {"template": ours.template}, "recipient", "guest"),
        ("/v1/notifications", {"recipient": ours.person}, "template", "letter"),
        ("/v1/campaigns", {"name": "n", "template": ours.template}, "audience", audience),
        ("/v1/campaigns", {"name": "n"}, "template", "letter"),
        ("/v1/inbox/tokens", {}, "recipient", "guest"),
    ]
    for path, body, field, value in calls:
        answer, control = (ours.tenant.api.call("POST", path, {**body, field: v}) for v in (value, str(uuid.uuid4())))
        assert (answer.status, answer.json["code"]) == (control.status, control.json["code"]), answer.text
        assert answer.status in (400, 404), answer.text
        assert leaks(answer, theirs) == []
    assert theirs.snapshot() == before


def test_another_tenants_cursor_opens_nothing(pair: tuple[Side, Side]) -> None:
    ours, theirs = pair
    for path in ("/v1/campaigns", "/v1/audiences", "/v1/categories"):
        cursor = theirs.tenant.api.ask("GET", query(path, limit=1))["next_cursor"]
        assert cursor is not None
        answer = ours.tenant.api.call("GET", query(path, limit=100, cursor=cursor))
        assert (answer.status in (200, 400), leaks(answer, theirs)) == (True, []), path


def test_a_list_of_another_tenants_people_reaches_nobody(pair: tuple[Side, Side]) -> None:
    ours, theirs = pair
    only_theirs = f"only-{theirs.letter}"
    theirs.tenant.person(only_theirs, f"{theirs.tenant.tag}only")
    campaign = ours.tenant.draft(ours.template, ours.tenant.list_of([only_theirs]))
    assert campaign.press("arm").status == 202
    assert "Nobody can be reached" in campaign.reached("draft")["failure"]
