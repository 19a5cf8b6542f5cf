"""Who only looks changes nothing: every page, form, deletion, action and button of every model is posted to, and no
table is another afterwards. The list is read from the admin itself, so a new page is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import connection
from django.db.models import Model
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, reverse

from campaigns.models import Audience, Campaign
from notifier.models import Template
from tenants.admin import admin_site
from tenants.models import Member, User
from tests.admin.conftest import Browser, Site

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], Browser]
#: what a request writes that is no change: its own session
OWN = {"django_session"}
#: that a person's data was looked at is written down
NO_CHANGE = {"tenants_auditlog": "action <> 'recipient.read'"}
#: a form that some page accepts: a user with the right to write would change a row with it
FORM = {
    "post": "yes",
    "name": "Changed",
    "username": "planted",
    "role": "owner",
    "recipient": "zebra-1",
    "revision": "1",
}


def rows_of(site: Site) -> dict[type[Model], Any]:
    """One row of every model, campaigns included."""
    acme = site.people.acme
    audience = Audience.objects.create(tenant=acme, name="Everybody", source="everybody")
    campaign = Campaign.objects.create(
        tenant=acme, name="Spring", channels=["in_app"], template=site.acme_rows[Template], audience=audience
    )
    return {**site.acme_rows, Audience: audience, Campaign: campaign}


def patterns() -> Iterator[URLPattern]:
    for one in admin_site.get_urls():
        if isinstance(one, URLResolver):
            yield from (inner for inner in one.url_patterns if isinstance(inner, URLPattern))


def posts(rows: dict[type[Model], Any], user: User) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every address of the admin that a form could be sent to, about these rows."""
    request = RequestFactory().get("/")
    request.user = user
    tenant = {"tenant": str(next(iter(rows.values())).tenant_id)}
    for model, page in admin_site._registry.items():
        begin = f"admin:{model._meta.app_label}_{model._meta.model_name}_"
        yield reverse(f"{begin}add"), {**FORM, **tenant}
        row = rows.get(model)
        if row is None:
            continue
        for action in {*page.actions, "delete_selected"} if page.actions is not None else {"delete_selected"}:
            name = action if isinstance(action, str) else action.__name__
            chosen = {"action": name, ACTION_CHECKBOX_NAME: [str(row.pk)], "post": "yes"}
            yield reverse(f"{begin}changelist"), chosen
        for pattern in patterns():
            named = f"admin:{pattern.name}"
            if pattern.name and named.startswith(begin) and len(pattern.pattern.converters) == 1:
                yield reverse(named, args=[row.pk]), {**FORM, **tenant}


def tables() -> dict[str, str]:
    """Table -> a digest of all that is in it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        )
        names = [row[0] for row in cursor.fetchall() if row[0] not in OWN]
        found = {}
        for name in names:
            changes = NO_CHANGE.get(name, "true")
            cursor.execute(
                f"SELECT coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '') FROM {name} t WHERE {changes}"
            )
            found[name] = cursor.fetchone()[0]
    return found


def writes() -> dict[str, int]:
    """Table -> rows that this transaction has written, those of savepoints that were rolled back included. It takes
    1 ms; the digests of 130 tables take 50 ms, so they are read only after a write."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables")
        return {name: count for name, count in cursor.fetchall() if name not in OWN}


def changed(before: dict[str, str]) -> list[str]:
    return sorted(name for name, digest in tables().items() if before[name] != digest)


def removed(site: Site, vera: User) -> User:
    """An owner who was removed while logged in."""
    Member.objects.filter(user=site.people.ana).delete()
    return site.people.ana


def stranger(site: Site, vera: User) -> User:
    return site.people.cleo


def viewer(site: Site, vera: User) -> User:
    return vera


def viewer_here_owner_elsewhere(site: Site, vera: User) -> User:
    Member.objects.create(tenant=site.people.globex, user=vera, role=Member.Role.OWNER)
    return vera


def without_staff(site: Site, vera: User) -> User:
    User.objects.filter(pk=site.people.ana.pk).update(is_staff=False)
    return site.people.ana


@pytest.mark.parametrize("who", [viewer, viewer_here_owner_elsewhere, stranger, removed, without_staff])
def test_a_role_without_write_access_changes_no_table(who: Any, site: Site, log_in: LogIn, vera: User) -> None:
    rows, user = rows_of(site), who(site, vera)
    browser = log_in(user)
    before, written, wrong = tables(), writes(), []
    for address, form in posts(rows, user):
        answer = browser.post(address, form)
        if answer.status_code >= 500:
            wrong.append(f"{address}: {answer.status_code}")
        if writes() == written:
            continue
        if now := changed(before):
            wrong.append(f"{address} {form.get('action', '')}: {now}")
            before = tables()
        written = writes()
    assert changed(before) == []
    assert wrong == []


def test_an_inactive_user_changes_nothing_although_the_session_lives(site: Site, log_in: LogIn) -> None:
    rows, ana = rows_of(site), site.people.ana
    browser = log_in(ana)
    User.objects.filter(pk=ana.pk).update(is_active=False)
    before = tables()
    for address, form in posts(rows, ana):
        browser.post(address, form)
    assert changed(before) == []


def test_the_same_posts_of_an_owner_change_much(site: Site, log_in: LogIn) -> None:
    """Else the tests above would prove nothing."""
    rows, before = rows_of(site), tables()
    sent = 0
    for address, form in posts(rows, site.people.ana):
        # some of the posts end the user's sessions
        assert log_in(site.people.ana).post(address, form).status_code < 500, address
        sent += 1
    assert sent > 100
    assert {"campaigns_campaign", "tenants_auditlog", "tenants_apikey", "tenants_member"} <= set(changed(before))
