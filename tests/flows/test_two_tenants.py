"""Over the API, one tenant can neither read nor change anything of another tenant.

The tests call every operation of the OpenAPI document with the other tenant's ids. The answer must be the same as for
an id that does not exist.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.flows.http import Answer, Caller, query
from tests.flows.openapi import Operation, operations
from tests.flows.two_tenants import OWN_NAMES, Side

HIDDEN = (401, 403, 404)


def unknown_ids(names: list[str]) -> dict[str, list[str]]:
    """Ids that do not exist."""
    return {name: [OWN_NAMES[name].format("nobody") if name in OWN_NAMES else str(uuid.uuid4())] for name in names}


@pytest.fixture(scope="module")
def stranger(pair: tuple[Side, Side]) -> dict[str, list[str]]:
    """The other tenant's ids, by the name of the parameter."""
    return pair[1].ids()


def ids_for(operation: Operation, known: dict[str, list[str]]) -> dict[str, list[str]]:
    """The known ids for each parameter; all ids that Notifier made for a parameter without a list of its own."""
    made = sorted({id_ for name, ids in known.items() if name not in OWN_NAMES for id_ in ids})
    return {name: known.get(name, made) for name in operation.parameters}


def callers(side: Side) -> Iterator[Caller]:
    """Callers with the tenant's live key, its test key, and its recipient's token."""
    yield side.tenant.api
    yield side.tenant.with_key(side.tenant.credentials.test_key)
    yield side.tenant.inbox(side.person).api


def leaks(answer: Answer, other: Side) -> list[str]:
    return [word for word in other.secrets if word in answer.text or word in str(answer.headers)]


def test_no_operation_shows_or_touches_a_row_of_another_tenant(
    pair: tuple[Side, Side], stranger: dict[str, list[str]]
) -> None:
    ours, theirs = pair
    before = theirs.snapshot()
    assert any(theirs.word in str(answer) for answer in before.values()), "the other tenant must have rows"
    wrong: list[str] = []
    calls = 0
    for caller in callers(ours):
        for operation in operations(ours.tenant.api):
            unknown = next(operation.addresses(unknown_ids(operation.parameters)))
            expected = caller.call(operation.method.upper(), unknown, operation.body).status
            for address in operation.addresses(ids_for(operation, stranger)):
                answer = caller.call(operation.method.upper(), address, operation.body)
                calls += 1
                wrong += faults_of(operation, address, answer, expected, theirs)
    assert wrong == []
    assert calls > 100
    assert theirs.snapshot() == before


def faults_of(operation: Operation, address: str, answer: Answer, expected: int, theirs: Side) -> list[str]:
    call = f"{operation.method.upper()} {address}: {answer.status}"
    wrong = [f"{call} shows {word}" for word in leaks(answer, theirs)]
    if (operation.parameters and answer.status != expected) or answer.status >= 500:
        wrong.append(f"{call}, and {expected} for an id that does not exist")
    # an id that Notifier makes belongs to one tenant; a name that tenants choose may be used by both
    if set(operation.parameters) - set(OWN_NAMES) and answer.status not in HIDDEN:
        wrong.append(f"{call} instead of one of {HIDDEN}")
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


def test_another_tenants_cursor_shows_nothing_of_that_tenant(pair: tuple[Side, Side]) -> None:
    ours, theirs = pair
    for path in ("/v1/campaigns", "/v1/audiences", "/v1/categories"):
        cursor = theirs.tenant.api.request_json("GET", query(path, limit=1))["next_cursor"]
        assert cursor is not None
        answer = ours.tenant.api.call("GET", query(path, limit=100, cursor=cursor))
        assert (answer.status in (200, 400), leaks(answer, theirs)) == (True, []), path


def test_a_list_of_another_tenants_recipients_reaches_no_recipient(pair: tuple[Side, Side]) -> None:
    ours, theirs = pair
    only_theirs = f"only-{theirs.letter}"
    theirs.tenant.person(only_theirs, f"{theirs.tenant.tag}only")
    campaign = ours.tenant.draft(ours.template, ours.tenant.list_of([only_theirs]))
    assert campaign.post("arm").status == 202
    assert "Nobody can be reached" in campaign.wait_for_state("draft")["failure"]
