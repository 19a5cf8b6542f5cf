"""`manage.py demo`: the main job, end to end, on a running stack. Exits 1 unless sandbox and ledger agree."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db.models.functions import Now

from campaigns.demo.client import Client
from campaigns.demo.people import write_csv
from campaigns.demo.road import Road
from inbox.views import demo_link
from notifier.vocabulary import Mode
from tenants.auth import create_key
from tenants.bootstrap import create_tenant
from tenants.imports import import_recipients
from tenants.models import ApiKey, Recipient, Tenant, User

LOCAL = settings.BASE_DIR / ".local"


class Command(BaseCommand):
    help = "Import a CSV, arm and launch a campaign, send one notification, and compare ledger and sandbox."

    def handle(self, *args: Any, **options: Any) -> None:
        count = int(os.environ.get("DEMO_RECIPIENTS", "50000"))
        made = create_tenant("Demo", "demo", "demo-admin", operator=True)
        login = fresh_login(made.tenant, made.user)
        self._import(made.tenant, count)
        sandbox = Client(settings.SANDBOX_URL, ca=settings.SANDBOX_CA)
        sandbox.post("/_reset")
        road = Road(Client(settings.SITE_URL, login.key), sandbox, self._say)
        road.templates()
        road.campaign_armed(f"Big game {Path(LOCAL / 'demo.csv').stat().st_mtime_ns}")
        road.go()
        report = self._report(road, count)
        report["transactional"] = road.transactional()
        (LOCAL / "demo-report.json").write_text(json.dumps(report, indent=2) + "\n")
        self._show(report, made.tenant, login)
        if problems := disagreements(report):
            raise SystemExit("\n".join(problems))

    def _import(self, tenant: Tenant, count: int) -> None:
        path = LOCAL / "demo.csv"
        write_csv(path, count)
        with path.open("rb") as file:
            result = import_recipients(tenant.id, file)
        self._say(
            f"imported {result.rows:,} rows of {path.name}: {result.created:,} created, {result.updated:,} updated"
        )

    def _report(self, road: Road, count: int) -> dict[str, Any]:
        results, seen = road.results(), road.sandbox_report()
        push = results["channels"]["push"]
        return {
            "recipients": count,
            "suppressed": results["suppressed"],
            "sent": push["sent"],
            "failed": push["failed"],
            "failed_by_reason": push["failed_by_reason"],
            "in_app_delivered": results["channels"]["in_app"]["delivered"],
            "sandbox_unique": seen["unique"],
            "sandbox_duplicates": seen["duplicates"],
            "seconds": push["seconds"],
            "rate_per_s": push["rate_per_s"],
            **{name: push[name] for name in ("p50_ms", "p95_ms", "p99_ms")},
        }

    def _show(self, report: dict[str, Any], tenant: Tenant, login: Login) -> None:
        self._say("report:")
        for name, value in report.items():
            self._say(f"  {name:20} {value}")
        user = Recipient.objects.get(tenant=tenant, external_id="user-0")
        self._say(f"inbox of user-0      {demo_link(user)}")
        self._say(f"admin login          {login.username} / {login.password}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


@dataclass(frozen=True)
class Login:
    username: str
    password: str = field(repr=False)
    key: str = field(repr=False)


def fresh_login(tenant: Tenant, user: User) -> Login:
    """Secrets are shown once, so every demo makes new ones and revokes those of the demo before."""
    password = secrets.token_urlsafe(12)
    user.set_password(password)
    user.save(update_fields=["password"])
    ApiKey.objects.filter(tenant=tenant, name="demo", revoked_at=None).update(revoked_at=Now())
    return Login(user.username, password, create_key(tenant, "demo", Mode.LIVE, ["*"])[1])


def disagreements(report: dict[str, Any]) -> list[str]:
    """What the ledger and the sandbox say differently; empty when all is exact."""
    found = []
    if report["sent"] != report["sandbox_unique"]:
        found.append(f"the ledger says {report['sent']} sent, the sandbox counted {report['sandbox_unique']}")
    if report["sandbox_duplicates"]:
        found.append(f"the sandbox counted {report['sandbox_duplicates']} duplicates")
    if report["transactional"] != {"push": 1, "in_app": 1}:
        found.append(f"the transactional notification arrived as {report['transactional']}")
    return found
