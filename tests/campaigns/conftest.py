"""A site of two tenants with recipients, a template and an audience; and a browser of the admin as the web role."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from campaigns import arming
from campaigns.lifecycle.launching import launch
from campaigns.models import Audience, Campaign, Shard
from campaigns.sending import shards
from notifier.delivery.content import templates
from notifier.models import Template
from tenants.models import Category, Device, Member, Recipient, Tenant, User
from tests.fixtures import People

CONTENT = {
    "push": {"en": {"title": "Hi {{ recipient.name }}", "body": "{{ what }} is here"}},
    "in_app": {"en": {"title": "Hello {{ recipient.name }}", "body": "{{ what }} is here"}},
}


@dataclass(frozen=True)
class Site:
    """Two tenants; what an author of ACME has before the first campaign."""

    people: People
    template: Template
    everybody: Audience
    vic: User  #: a viewer of ACME

    @property
    def acme(self) -> Tenant:
        return self.people.acme

    def draft(self, **columns: Any) -> Campaign:
        values = {"name": "Spring", "channels": ["in_app"], "data": {"what": "Spring"}, "audience": self.everybody}
        return Campaign.objects.create(tenant=self.acme, template=self.template, **{**values, **columns})


def recipients(tenant: Tenant, *external_ids: str, **columns: Any) -> list[Recipient]:
    return [
        Recipient.objects.create(tenant=tenant, external_id=e, name=e.title(), locale="en", **columns)
        for e in external_ids
    ]


@pytest.fixture
def site(people: People) -> Site:
    category = Category.objects.create(tenant=people.acme, key="news", name="News", kind="marketing")
    template = Template.objects.create(tenant=people.acme, key="spring", name="Spring", category=category)
    templates.publish(template, CONTENT)
    for recipient in recipients(people.acme, "ada", "bob", "cy", "dee"):
        Device.objects.create(tenant=people.acme, recipient=recipient, token=f"token-of-{recipient.external_id}")
    recipients(people.globex, "ada", "zoe")
    everybody = Audience.objects.create(tenant=people.acme, name="Everybody", source="everybody")
    vic = User.objects.create_user("vic", "vic@example.com", "a long password", is_staff=True)
    Member.objects.create(tenant=people.acme, user=vic, role=Member.Role.VIEWER)
    return Site(people, template, everybody, vic)


class Page(Protocol):
    """The answer of a test client."""

    status_code: int
    content: bytes
    redirect_chain: list[tuple[str, int]]

    def json(self) -> Any: ...


class Browser:
    """A logged-in user's browser. Each request is made by the role of web processes, and checks CSRF as they do."""

    def __init__(self, user: User, as_web: Callable[[], AbstractContextManager[None]]) -> None:
        self._client = Client(enforce_csrf_checks=True)
        self._client.force_login(user)
        self._as_web = as_web

    def get(self, url: str) -> Page:
        with self._as_web(), transaction.atomic():
            answer: Page = self._client.get(url)
        return answer

    def post(self, url: str, form_at: str = "", /, **fields: Any) -> Page:
        """Send a form with the token of the page that shows it, and follow to where the answer leads."""
        page = self.get(form_at or url).content.decode()
        match = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        token = match.group(1) if match else ""
        with self._as_web(), transaction.atomic():
            answer: Page = self._client.post(url, {"csrfmiddlewaretoken": token, **fields}, follow=True)
        return answer

    def post_without_token(self, url: str, **fields: Any) -> Page:
        with self._as_web(), transaction.atomic():
            answer: Page = self._client.post(url, fields)
        return answer


@pytest.fixture
def browser(as_web: Callable[[], AbstractContextManager[None]]) -> Callable[[User], Browser]:
    return lambda user: Browser(user, as_web)


def page(name: str, campaign: Campaign | uuid.UUID) -> str:
    pk = campaign if isinstance(campaign, uuid.UUID) else campaign.pk
    return reverse(f"admin:campaigns_campaign_{name}", args=[pk])


def text(answer: Page) -> str:
    """A page as a reader sees it: no tags, single spaces."""
    body = re.sub(r"(?s)<(script|style).*?</\1>", "", answer.content.decode())
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def armed(campaign: Campaign) -> Campaign:
    """Arm the campaign, as a worker does."""
    if campaign.state == Campaign.State.DRAFT:
        arming.request_arm(campaign)
    arming.arm(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.ARMED, campaign.failure
    return campaign


def sent(campaign: Campaign) -> Campaign:
    """Launch the campaign and send its shards, as workers do."""
    launch.go(campaign.tenant_id, campaign.pk)
    for pk in Shard.objects.filter(campaign=campaign).values_list("pk", flat=True):
        shards.send_shard(pk, "bulk@one")
    campaign.refresh_from_db()
    return campaign
