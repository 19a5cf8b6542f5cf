"""A tenant's people: each has an email address, a phone number, an inbox, and a device of one of three platforms."""

from __future__ import annotations

import csv
import tempfile
from hashlib import sha256
from typing import Any

from tests.chaos.stack.site import ChaosSite
from tests.flows.http import Caller
from tests.flows.tenant import Tenant

CHANNELS = ("push", "email", "sms", "in_app")
PLATFORMS = ("fcm", "apns", "webpush")
COLUMNS = ("external_id", "name", "email", "phone", "push_token", "push_platform")
#: subscriptions of one request to the sandbox
_BATCH = 5_000
_OPT_OUT = "<p><a href='{{ unsubscribe_url }}'>No more</a></p>"
_PUSH_SERVICE = "fcm.googleapis.com"


def content(word: str) -> dict[str, Any]:
    """All channels. Each text begins with the tenant's word, so that the receiver can tell whose message it is."""
    title = f"{word} for {{{{ recipient.name }}}}"
    page = (
        f"<p>{title}</p>" + "<p>Some news of the week.</p>" * 20 + "<p><a href='{{ unsubscribe_url }}'>No more</a></p>"
    )
    return {
        "push": {"en": {"title": title, "body": "A body."}},
        "in_app": {"en": {"title": title, "body": "A body."}},
        "sms": {"en": {"text": title}},
        "email": {"en": {"subject": title, "html": page}},
    }


def rows(tenant: Tenant, count: int, subscriptions: list[str]) -> list[tuple[str, ...]]:
    """One row of the import for each person."""
    return [
        (f"u{n}", f"Ann{n}", f"{tenant.tag}{n}@mail.example", phone(tenant, n), *_device(tenant, n, subscriptions))
        for n in range(count)
    ]


def phone(tenant: Tenant, n: int) -> str:
    return f"+49{int(tenant.tag.strip('-').rpartition('-')[2]) + 100:04}{n:06}"


def _device(tenant: Tenant, n: int, subscriptions: list[str]) -> tuple[str, str]:
    platform = PLATFORMS[n % len(PLATFORMS)]
    if platform == "webpush":
        return subscriptions[n // len(PLATFORMS)], platform
    if platform == "apns":
        return f"0{sha256(tenant.tag.encode()).hexdigest()[:15]}{n:048x}", platform
    return f"{tenant.tag}{n}", platform


def subscriptions(sandbox: Caller, count: int) -> list[str]:
    """Tokens of fake browsers."""
    made: list[dict[str, Any]] = []
    while len(made) < count:
        body = {"count": min(_BATCH, count - len(made)), "host": _PUSH_SERVICE}
        made += sandbox.request_json("POST", "/_webpush/subscriptions", body)["subscriptions"]
    return [f"{each['endpoint']}#{each['keys']['p256dh']}.{each['keys']['auth']}" for each in made]


def fill(site: ChaosSite, tenant: Tenant, word: str, count: int) -> None:
    """Import the people, publish the templates, and let marketing leave at any hour."""
    sandbox = Caller(site.sandbox_url, ca=site.settings["SANDBOX_CA"])
    people = rows(tenant, count, subscriptions(sandbox, count // len(PLATFORMS) + 1))
    with tempfile.NamedTemporaryFile("w", newline="", suffix=".csv", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *people])
        file.flush()
        done = site.manage("import_recipients", "--tenant", tenant.credentials.slug, file.name)
    if done.returncode or f"{count:,} rows: {count:,} created" not in done.stdout:
        raise AssertionError(f"the import failed: {done.stdout}{done.stderr}")
    tenant.change_settings(send_windows="built-in off")
    tenant.publish("offer", "promotions", content(word))
    tenant.publish("order", "order-updates", content(word))
