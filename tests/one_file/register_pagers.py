"""Run by test_one_file.py in a copy that has the provider of pagers: their devices are registered everywhere, by the
provider's own check, and messages are planned for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from notifier.delivery.content import templates
from notifier.errors import NotifierError
from notifier.models import Template
from notifier.vocabulary.people import SendRequest
from tenants.models import Device, Recipient, Suppression
from tests.delivery.build import Shop
from tests.fixtures import Api, People
from tests.tenants.csv_files import problems, put

pytestmark = pytest.mark.django_db
STORED, TYPED, WRONG = "00ff00ff00", "00-FF-00-FF-00", "fcm-like-token"
MESSAGE = "A pager's token has ten hexadecimal digits."


def tokens() -> list[tuple[str, str]]:
    return list(Device.objects.values_list("platform", "token"))


def test_the_api_registers_pagers(people: People, api: Callable[[str], Api]) -> None:
    acme = api(people.acme_key)
    acme("PUT", "/v1/recipients/ada", {})
    first = acme("POST", "/v1/recipients/ada/devices", {"platform": "pager", "token": TYPED})
    again = acme("POST", "/v1/recipients/ada/devices", {"platform": "pager", "token": STORED})
    assert (first.status, again.status, first.body["token"], again.body["id"]) == (201, 200, STORED, first.body["id"])
    wrong = acme("POST", "/v1/recipients/ada/devices", {"platform": "pager", "token": WRONG})
    assert (wrong.status, wrong.body["field"], wrong.body["detail"]) == (400, "token", MESSAGE)


def test_a_file_imports_pagers(people: People) -> None:
    result = put(people, f"external_id,push_token,push_platform\nada,{TYPED},Pager\nben,{WRONG},pager\n")
    assert tokens() == [("pager", STORED)]
    assert problems(result) == [(3, f"push_token: {MESSAGE}")]


def test_the_admin_registers_finds_and_suppresses_pagers(people: People) -> None:
    put(people, "external_id\nada\n")
    recipient = Recipient.objects.get()
    browser = Client()
    browser.force_login(people.ana)
    form = {"tenant": str(people.acme.pk), "recipient": str(recipient.pk), "platform": "pager", "app": ""}
    wrong = browser.post(reverse("admin:tenants_device_add"), {**form, "token": WRONG})
    assert MESSAGE in wrong.content.decode().replace("&#x27;", "'")
    assert browser.post(reverse("admin:tenants_device_add"), {**form, "token": TYPED}).status_code == 302
    assert tokens() == [("pager", STORED)]
    page = browser.get(reverse("admin:tenants_device_changelist"), {"q": TYPED, "platform": "pager"})
    assert page.context["cl"].result_count == 1
    suppressed = {"tenant": str(people.acme.pk), "channel": "push", "address": TYPED, "cause": "manual"}
    assert browser.post(reverse("admin:tenants_suppression_add"), suppressed).status_code == 302
    assert Suppression.objects.get().address == STORED


def test_the_account_of_pagers_sends_to_pagers_only(people: People) -> None:
    put(people, f"external_id,push_token,push_platform\nada,{TYPED},pager\nada,a-token-of-fcm,fcm\n")
    template = Template.objects.create(tenant=people.acme, key="order")
    templates.publish(template, {"push": {"en": {"title": "t", "body": "b"}}})
    [accepted] = Shop(people.acme).accept(SendRequest("ada", "order"))
    assert not isinstance(accepted, NotifierError)
    assert {row.platform: row.reason for row in Shop(people.acme).deliveries()} == {"fcm": "", "pager": "no_account"}
