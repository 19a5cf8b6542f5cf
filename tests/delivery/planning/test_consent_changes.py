"""Which consent changes a plan has not seen, whatever the order in which transactions begin, write and commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections, transaction

from notifier.delivery.planning.consent_changes import OVERLAP, few_unseen, note_unseen, unseen_of
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


def test_inside_of_a_transaction_a_plan_has_seen_what_is_older_than_any_transaction() -> None:
    with transaction.atomic():
        unseen = note_unseen()
    assert abs(datetime.now(UTC) - OVERLAP - unseen.since) < OVERLAP and not unseen.transactions
