"""Which consent changes a plan has not seen, whatever the order in which transactions begin, write and commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections, transaction

from notifier.delivery.planning.consent_changes import FEW, OVERLAP, few_unseen, note_unseen, unseen_of
from tenants.models import Tenant
from tests.fixtures import People

pytestmark = pytest.mark.django_db(transaction=True)

_SUPPRESS = """
INSERT INTO tenants_suppression (id, tenant_id, channel, address, cause, created_at)
VALUES (gen_random_uuid(), %s, 'push', %s, 'manual', now())
"""


@contextmanager
def open_transaction() -> Iterator[Any]:
    """A connection of its own, in a transaction."""
    with closing(connections.create_connection("default")) as other:
        other.set_autocommit(False)
        yield other


def suppress(tenant: Tenant, address: str, through: Any) -> None:
    with through.cursor() as cursor:
        cursor.execute(_SUPPRESS, [tenant.pk, address])


def test_a_plan_has_seen_what_was_committed_and_nothing_else(people: People) -> None:
    with ExitStack() as stack:
        names = ("before", "later", "savepoint", "newest", "idle")
        others = {name: stack.enter_context(open_transaction()) for name in names}
        suppress(people.acme, "before", others["before"])
        suppress(people.acme, "later", others["later"])
        with others["savepoint"].cursor() as cursor:
            cursor.execute("SAVEPOINT one")
        suppress(people.acme, "savepoint", others["savepoint"])
        others["before"].commit()
        suppress(people.acme, "newest", others["newest"])  # not below the snapshot's xmax: none of them has ended
        with others["idle"].cursor() as cursor:
            cursor.execute("SELECT 1")  # in a transaction without an id
        unseen = note_unseen()
        suppress(people.acme, "idle", others["idle"])
        for name in ("later", "savepoint", "newest", "idle"):
            others[name].commit()

    suppress(people.acme, "after", connections["default"])
    missed = {"later", "savepoint", "newest", "idle", "after"}
    assert few_unseen(people.acme.pk, unseen) == (set(), missed)
    assert unseen_of(people.acme.pk, unseen, [], ["before", "newest", "after"]) == (set(), {"newest", "after"})
    assert few_unseen(people.globex.pk, unseen) == (set(), set())


def test_a_plan_has_not_seen_later_changes_whatever_the_clock_of_the_database_says(people: People) -> None:
    suppress(people.acme, "before", connections["default"])
    noted = note_unseen()
    unseen = replace(noted, since=noted.since + timedelta(hours=1))  # the clock goes back by an hour
    suppress(people.acme, "after", connections["default"])
    assert few_unseen(people.acme.pk, unseen) == (set(), {"after"})
    assert unseen_of(people.acme.pk, unseen, [], ["before", "after"]) == (set(), {"after"})


def test_a_plan_has_not_seen_later_changes_of_a_server_whose_ids_begin_anew(people: People) -> None:
    noted = note_unseen()
    assert noted.next_transaction is not None
    unseen = replace(noted, next_transaction=noted.next_transaction + 10**9)
    suppress(people.acme, "after", connections["default"])
    assert few_unseen(people.acme.pk, unseen) == (set(), {"after"})
    assert unseen_of(people.acme.pk, unseen, [], ["after"]) == (set(), {"after"})


def test_changes_that_are_found_twice_count_once(people: People) -> None:
    unseen = note_unseen()
    for n in range(FEW):
        suppress(people.acme, f"a{n}", connections["default"])
    changes = few_unseen(people.acme.pk, unseen)
    assert changes is not None and len(changes[1]) == FEW
    suppress(people.acme, "one more", connections["default"])
    assert few_unseen(people.acme.pk, unseen) is None


def test_inside_of_a_transaction_a_plan_has_seen_what_is_older_than_any_transaction() -> None:
    with transaction.atomic():
        unseen = note_unseen()
    assert abs(datetime.now(UTC) - OVERLAP - unseen.since) < OVERLAP and not unseen.transactions
