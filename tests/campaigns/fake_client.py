"""A push provider that answers as a test tells it, behind the transport's face; and campaigns that go there. What it
began is counted here, on the receiver's side."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from django.db import connection
from pytest_django import Settings

from campaigns import arming
from campaigns.lifecycle import control, full_speed, launch
from campaigns.models import Audience, Campaign, Shard
from campaigns.report import accounting, results
from campaigns.sending.claim import claim
from campaigns.sending.claimed_shard import ClaimedShard
from campaigns.sending.sender import Sender
from campaigns.sending.shards import send_shard
from notifier.delivery.accounts import rate_limits, registry
from notifier.delivery.content import templates
from notifier.delivery.infra import redis
from notifier.delivery.send import deliver
from notifier.models import Delivery, ProviderAccount, Template
from notifier.vocabulary.http import (
    Answered,
    Request,
    RequestBatch,
    RequestTemplate,
    Response,
    TokenRequest,
    TransportError,
)
from notifier.vocabulary.status import Lane, Status
from tenants.models import Category, Device, Recipient, Tenant

OK = Response(200, {}, b'{"name":"projects/p/messages/1"}')
TEXT = {"title": "Hello", "body": "It is here."}
#: a fate: no answer ever comes
SILENCE = None
Fate = Callable[[str], "int | Response | TransportError | None"]


def refusal(status: int, code: str, **headers: str) -> Response:
    """As FCM says it."""
    detail = {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}
    body = {"error": {"code": status, "message": code, "status": code, "details": [detail]}}
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, orjson.dumps(body))


DEAD = refusal(404, "UNREGISTERED")
BUSY = refusal(503, "UNAVAILABLE")
TOO_MANY = refusal(429, "QUOTA_EXCEEDED", retry_after="30")
UNAUTHORISED = Response(401, {}, b"{}")


class Killed(BaseException):
    """kill -9."""


class FakeClient:
    """A Wire. `fate(address)` says what becomes of a message; `concurrent`: how many may be under way at once."""

    def __init__(self, fate: Fate = lambda address: 200) -> None:
        self.fate = fate
        self.streams = 400
        self.concurrent = 1_000_000
        self.lag = 0.0  #: seconds that each answer takes
        #: called before answers are told: the place for whatever happens meanwhile
        self.meanwhile: Callable[[], None] = lambda: None
        #: and before a token is
        self.fetching: Callable[[], None] = lambda: None
        self.begun: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.slow: list[str] = []  #: of those begun, the ones that were no volley's
        self.forgotten = 0

    @property
    def counted(self) -> Counter[str]:
        return Counter(self.begun)

    def completion_queue(self) -> Box:
        return Box(self)

    def send_batch(
        self, head: RequestTemplate, bodies: Sequence[bytes], paths: Sequence[bytes] | None = None
    ) -> RequestBatch:
        return self.completion_queue().send_batch(head, bodies, paths)

    def exchange(self, requests: Sequence[Request]) -> Iterator[Sequence[tuple[int, Response | TransportError]]]:
        for i, request in enumerate(requests):
            answer = self.begin(request.body)
            self.slow.append(self.begun[-1])
            if answer is not SILENCE:
                yield [(i, OK if isinstance(answer, int) else answer)]

    def begin(self, body: bytes) -> int | Response | TransportError | None:
        time.sleep(self.lag)
        said = orjson.loads(body)
        self.bodies.append(said)
        address = said["message"].get("token") or said["message"]["fid"]
        self.begun.append(address)
        return self.fate(address)

    def warm(self, origin: str) -> int:
        return 1

    def token(self, wanted: TokenRequest) -> str:
        self.fetching()
        return "token-1"

    def forget_token(self, cache_key: str) -> None:
        self.forgotten += 1


@dataclass(eq=False)
class Shots:
    """A Volley."""

    box: Box
    bodies: list[tuple[int, bytes]]
    left: int
    answers: list[Answered] = field(default_factory=list)

    def take(self, patience: float) -> list[Answered]:
        raise NotImplementedError

    def withdraw(self) -> None:
        self.answers += [(at, TransportError(False, "withdrawn")) for at, _ in self.bodies]
        self.bodies = []


class Box:
    """A Mailbox."""

    def __init__(self, client: FakeClient) -> None:
        self.client = client
        self.left = 0
        self.under_way = 0
        self.volleys: list[Shots] = []

    def send_batch(self, head: RequestTemplate, bodies: Sequence[bytes], paths: Sequence[bytes] | None = None) -> Shots:
        shots = Shots(self, list(enumerate(bodies)), len(bodies))
        self.volleys.append(shots)
        self.left += len(bodies)
        self._begin()
        return shots

    def take(self, patience: float) -> list[tuple[RequestBatch, list[Answered]]]:
        self.client.meanwhile()
        found: list[tuple[RequestBatch, list[Answered]]] = []
        for shots in self.volleys:
            told, shots.answers = shots.answers, []
            shots.left -= len(told)
            self.left -= len(told)
            self.under_way -= sum(1 for _, answer in told if answer != TransportError(False, "withdrawn"))
            if told:
                found.append((shots, told))
        self._begin()
        if not found:
            time.sleep(min(patience, 0.01))
        return found

    def _begin(self) -> None:
        for shots in self.volleys:
            while shots.bodies and self.under_way < self.client.concurrent:
                at, body = shots.bodies.pop(0)
                self.under_way += 1
                answer = self.client.begin(body)
                if answer is not SILENCE:
                    shots.answers.append((at, answer))


@dataclass
class Post:
    """A tenant whose template goes to FCM, and the far end."""

    tenant: Tenant
    template: Template
    client: FakeClient

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
def post(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Post]:
    client = FakeClient()
    monkeypatch.setattr(registry, "http_client_for", lambda account: client)
    slug = f"post-{uuid.uuid4().hex[:8]}"
    tenant = Tenant.objects.create(name=slug, slug=slug)
    category = Category.objects.create(tenant=tenant, key="news", name="News", kind="marketing")
    template = Template.objects.create(tenant=tenant, key="sale", category=category)
    templates.publish(template, {"push": {"en": TEXT}})
    yield Post(tenant, template, client)
    rate_limits._local.clear()


def shards_of(campaign: Campaign) -> list[Shard]:
    return list(Shard.objects.filter(campaign=campaign).order_by("number"))


def shard_of(campaign: Campaign) -> Shard:
    [shard] = shards_of(campaign)
    return shard


def claimed(campaign: Campaign) -> ClaimedShard:
    found = claim(shard_of(campaign).pk, "bulk@one")
    assert found is not None
    return found


def send(campaign: Campaign) -> None:
    """What the doorbells of its shards make workers do."""
    for shard in shards_of(campaign):
        send_shard(shard.pk, "bulk@one")


def send_and_die(campaign: Campaign) -> None:
    """A worker that is killed in the middle: `wire.meanwhile` or `wire.fate` raises Killed."""
    with pytest.raises(Killed):
        Sender(claimed(campaign)).run()


def lose_leases(settings: Settings) -> None:
    """As if the holders had been silent for long."""
    settings.LEASE_SECONDS = 0.1
    with connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns_shard SET lease_until = now() - interval '1 h' WHERE lease_until IS NOT NULL")


def retried(campaign: Campaign) -> None:
    """What the engine does with the rows that the shards handed to the ledger, when they are due."""
    Delivery.objects.filter(campaign_id=campaign.pk, status=Status.QUEUED).update(due_at="2020-01-01T00:00Z")
    rate_limits._local.clear()
    redis.client().flushdb()
    deliver("push", (Lane.BULK,))


def account(campaign: Campaign) -> None:
    """What the batch workers do with its outcomes once no campaign leaves as fast as it can."""
    full_speed.reset()
    redis.client().flushdb()
    accounting.account(campaign.pk)


def stop(campaign: Campaign) -> None:
    control.stop(campaign.tenant_id, campaign.pk)


def told(campaign: Campaign) -> dict[tuple[str, str], int]:
    """What the report says: (status, reason) -> messages; and it agrees with itself and with the live figures."""
    campaign.refresh_from_db()
    found, live = results.results(campaign), results.progress(campaign)
    figures = Counter[tuple[str, str]]()
    for statuses in found.channels.values():
        for status, reasons in statuses.items():
            for reason, count in reasons.items():
                figures[status, reason] += count
    assert found.sent + found.not_sent + found.in_doubt + found.waiting == sum(figures.values())
    before_go = sum(found.excluded.values()) - found.excluded.get("unknown_recipient", 0)
    assert (live.sent, live.in_doubt, live.waiting) == (found.sent, found.in_doubt, found.waiting)
    assert live.failed == found.not_sent - before_go
    return dict(figures)


def ledger(campaign: Campaign) -> dict[tuple[str, str], int]:
    rows = Delivery.objects.filter(campaign_id=campaign.pk).values_list("status", "reason")
    return dict(Counter((Status(status).label, reason) for status, reason in rows))
