"""Every address of the admin, taken from its patterns: odd input makes no error of ours, a GET changes nothing, a POST
needs its token, and an id of another tenant leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, reverse

from campaigns.models import Audience, Campaign, CampaignApproval, Schedule
from notifier.models import Template
from tenants.admin import admin_site
from tenants.models import User
from tests.admin.conftest import NOW, Site
from tests.fixtures import as_web_role

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]
UNKNOWN = "01890000-0000-7000-8000-000000000000"
#: what a field does not expect; the last entries are for fields of JSON
ODD = (
    "", "\0", "-1", "9" * 40, "1.5", "x" * 3000, "ü☃\u202e", UNKNOWN, "null", "[]", "{}", "[1]", "2026-13-40", "%s%",
    "'\"><script>", "{{ x", "{% for i in (1..99999999) %}{% endfor %}", '{"\\ud800": "\\udfff"}', "NaN", "1e400",
    "[" * 2000, '{"and": [' * 200, "\ud800".encode("utf-16", "surrogatepass").decode("latin-1"), "2026-11-29T25:00",
)  # fmt: skip
FILES = (b"", b"\xff\0" * 50, b"GIF89a<svg onload=alert(1)>", b"external_id\n\xff\n\0\n")
#: the session, and when it was last used; the accounts of the sandbox, which are made when a message first needs them
# that a person's data was looked at is written down (recipient.read)
BOOKKEEPING = re.compile(r"\"(django_session|tenants_loginsession|notifier_provideraccount)\"|'recipient\.read'")
WRITES = re.compile(r"\b(INSERT INTO|UPDATE\s+\"|DELETE FROM)")
#: these pages keep what they hand out, so a GET may write
WRITING_GETS = frozenset({"login_setup", "shown_once"})


@dataclass(frozen=True)
class Address:
    """An address with the parameters of its pattern, and the model that the parameter `pk` is a row of."""

    name: str
    parameters: tuple[str, ...]
    model: type[Model] | None

    def with_id(self, pk: Any) -> str:
        return reverse(f"admin:{self.name}", kwargs=dict.fromkeys(self.parameters, pk))


def addresses() -> Iterator[Address]:
    """All but those that list, add, change and delete rows, which `test_odd_requests` opens."""
    models = {f"{model._meta.app_label}_{model._meta.model_name}": model for model in admin_site._registry}
    for pattern in _patterns(admin_site.urls[0]):
        name = pattern.name or ""
        page = "_".join(name.split("_")[:2])
        ordinary = name.rpartition("_")[2] in ("changelist", "add", "change", "delete", "history")
        if not name or ordinary or name in ("app_list", "auth_user_password_change"):
            continue
        yield Address(name, tuple(pattern.pattern.converters), models.get(page))


def _patterns(patterns: list[Any]) -> Iterator[URLPattern]:
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from _patterns(each.url_patterns)
        else:
            yield each


ADDRESSES = tuple(addresses())


def field_names() -> list[str]:
    """What the views read from forms and addresses."""
    source = (
        path.read_text()
        for room in ("campaigns", "notifier", "tenants")
        for path in Path(settings.BASE_DIR, room).rglob("*.py")
    )
    pattern = re.compile(r"\b(?:GET|POST|FILES|posted|values|query)(?:\.get|\.getlist|\.pop)?[(\[]\"(\w+)\"")
    names = {name for text in source for name in pattern.findall(text)}
    assert {"seen", "rollout", "recipient"} <= names
    return sorted(names | {"tenant", "content", "template", "variables", "next", "csrfmiddlewaretoken"})


@pytest.fixture
def rows(site: Site) -> dict[type[Model], tuple[Any, Any]]:
    """Rows of the two tenants, with those of campaigns."""
    acme, globex = dict(site.acme_rows), dict(site.globex_rows)
    for own, word in ((acme, "zebra"), (globex, "quokka")):
        template = own[Template]
        shared = {"tenant": template.tenant, "name": f"{word} name"}
        own[Audience] = Audience.objects.create(**shared, source="everybody")
        own[Campaign] = Campaign.objects.create(
            **shared, template=template, audience=own[Audience], channels=["in_app"], data={"word": word}
        )
        own[CampaignApproval] = CampaignApproval.objects.create(
            tenant=template.tenant, campaign=own[Campaign], hash="0" * 64, request_note=word
        )
        own[Schedule] = Schedule.objects.create(
            **shared,
            campaign=own[Campaign],
            cron="0 9 * * 1",
            timezone="UTC",
            starts="2030-01-01T00:00",
            done_until=NOW,
        )
    return {model: (acme[model], globex[model]) for model in acme}


class Visitor:
    def __init__(self, user: Any, **options: Any) -> None:
        self.client = Client(raise_request_exception=False, **options)
        self.client.force_login(user)
        self.errors: list[str] = []

    def call(self, method: str, url: str, data: Any = None) -> Any:
        with as_web_role():
            answer = getattr(self.client, method)(url, data)
        if answer.status_code >= 500 and answer.status_code != 502:
            cause = repr(answer.exc_info[1])[:300] if answer.exc_info else ""
            self.errors.append(f"{answer.status_code} {method} {url[:120]} {str(data)[:120]} {cause}")
        return answer


def ids_of(address: Address, rows: dict[type[Model], tuple[Any, Any]]) -> tuple[Any, Any]:
    """An id of one's own, and one of the other tenant."""
    pair = rows.get(address.model) if address.model else None
    return (pair[0].pk, pair[1].pk) if pair else (UNKNOWN, UNKNOWN)


def test_no_odd_field_makes_an_error(site: Site, rows: Any) -> None:
    visitor, odd, names, files = Visitor(site.people.ana), cycle(ODD), field_names(), cycle(FILES)
    own = {"tenant": site.people.acme.pk}
    for address in ADDRESSES:
        if address.name == "logout":
            continue
        url = address.with_id(ids_of(address, rows)[0])
        for _ in range(2):
            visitor.call("get", url, {name: next(odd) for name in names})
            visitor.call("post", url, {name: [next(odd), next(odd)] for name in names} | own)
            next(odd)
        one = next(odd)
        visitor.call("get", url, dict.fromkeys(names, one))
        visitor.call("post", url, dict.fromkeys(names, one) | own)
        file = SimpleUploadedFile("../../x\u202e.csv", next(files), content_type="image/png")
        visitor.call("post", url, {**own, "picture": file, "import_file": file, "file": file})
        visitor.client.force_login(site.people.ana)
    assert visitor.errors == [], "\n".join(visitor.errors)


def test_a_get_changes_nothing(site: Site, rows: Any) -> None:
    visitor = Visitor(site.people.ana)
    visitor.call("get", reverse("admin:index"))
    wrong = []
    for address in ADDRESSES:
        if address.name in WRITING_GETS:
            continue
        url = address.with_id(ids_of(address, rows)[0])
        for method in ("get", "head", "options"):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                visitor.call(method, url)
            writes = [q["sql"][:200] for q in queries if WRITES.search(q["sql"]) and not BOOKKEEPING.search(q["sql"])]
            if writes:
                wrong.append(f"{method} {url}: {writes}")
    assert wrong == [] and visitor.errors == [], "\n".join([*wrong, *visitor.errors])


def test_a_post_needs_its_token(site: Site, rows: Any) -> None:
    visitor = Visitor(site.people.ana, enforce_csrf_checks=True)
    open_to_all = {}
    for address in ADDRESSES:
        status = visitor.call("post", address.with_id(ids_of(address, rows)[0]), {"x": "1"}).status_code
        if status not in (403, 404, 405):
            open_to_all[address.name] = status
    assert open_to_all == {}


def test_an_id_of_another_tenant_leads_nowhere(site: Site, rows: Any) -> None:
    visitor = Visitor(site.people.ana)
    leaks: list[tuple[Any, ...]] = []
    for address in ADDRESSES:
        if "tenants_user" in address.name or not address.parameters or not address.model:
            continue
        own, other = ids_of(address, rows)
        for method in ("get", "post"):
            # some addresses end sessions
            visitor.client.force_login(site.people.ana)
            for url, data in (
                (address.with_id(other), {}),
                (address.with_id(own), {"of": other, "with": other, "recipient": other, "template": other}),
            ):
                answer = visitor.call(method, url, data)
                body = b"".join(answer.streaming_content) if answer.streaming else answer.content
                if b"quokka" in body or (str(other) in url and answer.status_code not in (302, 404, 405)):
                    leaks.append((address.name, method, url, data, answer.status_code))
                if str(other) in url and answer.status_code == 302 and "/login" not in answer["Location"]:
                    leaks.append((address.name, method, "redirect", answer["Location"]))
    assert leaks == [] and visitor.errors == [], "\n".join(map(str, [*leaks, *visitor.errors]))


def test_a_viewer_changes_no_row(site: Site, rows: Any, vera: User) -> None:
    visitor, changed = Visitor(vera), []
    for address in ADDRESSES:
        if address.model is None or not address.parameters:
            continue
        visitor.client.force_login(vera)
        with CaptureQueriesContext(connection) as queries:
            status = visitor.call("post", address.with_id(ids_of(address, rows)[0]), {"x": "1"}).status_code
        writes = any(WRITES.search(q["sql"]) and not BOOKKEEPING.search(q["sql"]) for q in queries)
        # 200: it only shows what a GET shows
        if writes or status not in (200, 403, 404, 405):
            changed.append(f"{address.name}: {status}, {'writes' if writes else 'writes nothing'}")
    assert changed == [] and visitor.errors == [], "\n".join([*changed, *visitor.errors])
