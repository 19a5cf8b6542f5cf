"""FCM behind the in-memory HTTP client, and campaigns that send to it. A test chooses the answer to each message, and
counts on the receiver's side which messages began."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from django.db import connection
from pytest_django import Settings

from campaigns import arming
from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import stopping
from campaigns.models import Audience, Campaign, Shard
from campaigns.report import accounting, results
from campaigns.sending.claim import claim
from campaigns.sending.claimed_shard import ClaimedShard
from campaigns.sending.sender import Sender
from campaigns.sending.shards import send_shard
from campaigns.shard import full_speed
from notifier.delivery.accounts import rate_limits, registry
from notifier.delivery.content import templates
from notifier.delivery.infra import redis
from notifier.delivery.send import deliver
from notifier.models import Delivery, ProviderAccount, Template
from notifier.transport import use_client
from notifier.transport.in_memory import NO_ANSWER, Answer, InMemoryClient
from notifier.vocabulary.http import Request, Response, TokenRequest
from notifier.vocabulary.status import Lane, Status
from tenants.models import Category, Device, Recipient, Tenant

OK = Response(200, {}, b'{"name":"projects/p/messages/1"}')
TEXT = {"title": "Hello", "body": "It is here."}
SILENCE = NO_ANSWER  #: an answer: none ever comes
Fate = Callable[[str], Answer]


def refusal(status: int, code: str, **headers: str) -> Response:
    """FCM's answer of this kind."""
    detail = {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}
    body = {"error": {"code": status, "message": code, "status": code, "details": [detail]}}
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, orjson.dumps(body))


DEAD = refusal(404, "UNREGISTERED")
BUSY = refusal(503, "UNAVAILABLE")
TOO_MANY = refusal(429, "QUOTA_EXCEEDED", retry_after="30")
NO_APPLE_KEY = refusal(401, "THIRD_PARTY_AUTH_ERROR")
UNAUTHORISED = Response(401, {}, b"{}")


class Killed(BaseException):
    """kill -9."""


class FakeFcm(InMemoryClient):
    """FCM. `fate(address)` is the answer to a message; messages that began are counted by address."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.fate: Fate = lambda address: 200
        self.begun: list[str] = []  #: addresses
        self.bodies: list[dict[str, Any]] = []
        self.before_token: Callable[[], None] = lambda: None

    @property
    def counted(self) -> Counter[str]:
        return Counter(self.begun)

    @property
    def sent_singly(self) -> list[str]:
        """The addresses of the messages that came in no batch."""
        return [address_of(orjson.loads(request.body)) for request in self.exchanged]

    def token(self, request: TokenRequest) -> str:
        self.before_token()
        return super().token(request)

    def _answer(self, request: Request) -> Answer:
        body = orjson.loads(request.body)
        self.bodies.append(body)
        self.begun.append(address_of(body))
        answer = self.fate(self.begun[-1])
        return OK if answer == 200 else answer


def address_of(body: dict[str, Any]) -> str:
    message = body["message"]
    address: str = message.get("token") or message.get("fid") or message.get("topic") or message["condition"]
    return address


@dataclass
class Post:
    """A tenant whose template goes to FCM, and FCM."""

    tenant: Tenant
    template: Template
    client: FakeFcm

    def person(self, token: str, **values: Any) -> Recipient:
        person = Recipient.objects.create(
            tenant=self.tenant, external_id=values.pop("external_id", token), **{"name": token, **values}
        )
        Device.objects.create(tenant=self.tenant, recipient=person, token=token)
        return person

    def people(self, count: int, name: str = "t") -> list[str]:
        """Their tokens."""
        tokens = [f"{name}{n}" for n in range(count)]
        people = Recipient.objects.bulk_create(
            Recipient(tenant=self.tenant, external_id=token, name=token) for token in tokens
        )
        Device.objects.bulk_create(
            Device(tenant=self.tenant, recipient=person, token=person.external_id) for person in people
        )
        return tokens

    def armed(self, **columns: Any) -> Campaign:
        audience, _ = Audience.objects.get_or_create(tenant=self.tenant, name="all", source="everybody")
        values = {"channels": ["push"], "canary_percent": 0, "max_error_percent": 100, "max_dead_percent": 100}
        campaign = Campaign.objects.create(
            tenant=self.tenant, name="Sale", template=self.template, audience=audience, **{**values, **columns}
        )
        arming.request_arm(campaign)
        arming.arm(campaign.pk)
        campaign.refresh_from_db()
        assert campaign.state == Campaign.State.ARMED, campaign.failure
        return campaign

    def running(self, **columns: Any) -> Campaign:
        campaign = self.armed(**columns)
        launch.go(campaign.tenant_id, campaign.pk)
        campaign.refresh_from_db()
        return campaign

    @property
    def account(self) -> ProviderAccount:
        return ProviderAccount.objects.get(tenant=self.tenant, provider="fcm")


@pytest.fixture
def post(transactional_db: None) -> Iterator[Post]:
    client = FakeFcm()
    slug = f"post-{uuid.uuid4().hex[:8]}"
    tenant = Tenant.objects.create(name=slug, slug=slug)
    category = Category.objects.create(tenant=tenant, key="news", name="News", kind="marketing")
    template = Template.objects.create(tenant=tenant, key="sale", category=category)
    templates.publish(template, {"push": {"en": TEXT}})
    with use_client(client):
        yield Post(tenant, template, client)
    rate_limits.reset()


def make_undecryptable(account: ProviderAccount) -> None:
    """The account is live, and no configured key decrypts its settings."""
    Tenant.objects.filter(pk=account.tenant_id).update(sandbox=False)
    ProviderAccount.objects.filter(pk=account.pk).update(sandbox=False, config=b"encrypted with a lost key")
    registry.reset()
    account.refresh_from_db()
    with pytest.raises(ValueError, match="No configured encryption key"):
        registry.provider_for(account)


def shards_of(campaign: Campaign) -> list[Shard]:
    return list(Shard.objects.filter(campaign=campaign).order_by("number"))


def shard_of(campaign: Campaign) -> Shard:
    [shard] = shards_of(campaign)
    return shard


def claimed(campaign: Campaign) -> ClaimedShard:
    shard = claim(shard_of(campaign).pk, "bulk@one")
    assert shard is not None
    return shard


def send(campaign: Campaign) -> None:
    """What workers do when the wakeups of its shards reach them."""
    for shard in shards_of(campaign):
        send_shard(shard.pk, "bulk@one")


def send_and_die(campaign: Campaign) -> None:
    """A worker that is killed in the middle: `client.before_take` or `client.fate` raises Killed."""
    with pytest.raises(Killed):
        Sender(claimed(campaign)).run()


def lose_leases(settings: Settings) -> None:
    """End every lease, as if its worker had died long ago."""
    settings.LEASE_SECONDS = 0.1
    with connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns_shard SET lease_until = now() - interval '1 h' WHERE lease_until IS NOT NULL")


def retried(campaign: Campaign) -> None:
    """What the engine does with the rows that the shards requeued, when they are due."""
    Delivery.objects.filter(campaign_id=campaign.pk, status=Status.QUEUED).update(due_at="2020-01-01T00:00Z")
    rate_limits.reset()
    redis.client().flushdb()
    deliver("push", (Lane.BULK,))


def account(campaign: Campaign) -> None:
    """What the batch workers do with its outcomes once no campaign sends at full speed."""
    full_speed.reset()
    redis.client().flushdb()
    accounting.account(campaign.pk)


def stop(campaign: Campaign) -> None:
    stopping.stop(campaign.tenant_id, campaign.pk)


def reported(campaign: Campaign) -> dict[tuple[str, str], int]:
    """The report: (status, reason) -> messages. Checks that it agrees with itself and with the live figures."""
    campaign.refresh_from_db()
    report, live = results.results(campaign), results.progress(campaign)
    figures = Counter[tuple[str, str]]()
    for statuses in report.channels.values():
        for status, reasons in statuses.items():
            for reason, count in reasons.items():
                figures[status, reason] += count
    assert report.sent + report.not_sent + report.in_doubt + report.waiting == sum(figures.values())
    before_go = sum(report.excluded.values()) - report.excluded.get("unknown_recipient", 0)
    assert (live.sent, live.in_doubt, live.waiting) == (report.sent, report.in_doubt, report.waiting)
    assert live.failed == report.not_sent - before_go
    return dict(figures)


def ledger(campaign: Campaign) -> dict[tuple[str, str], int]:
    rows = Delivery.objects.filter(campaign_id=campaign.pk).values_list("status", "reason")
    return dict(Counter((Status(status).label, reason) for status, reason in rows))
