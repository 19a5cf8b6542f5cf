"""Double opt-in: who asks for it, the mail, the page behind its link, and the proof that is kept."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import transaction
from django.test import Client

from notifier.api.people.preferences import change
from notifier.channels import channels
from notifier.delivery.accounts import registry
from notifier.delivery.opt_in.confirmation import confirm
from notifier.delivery.opt_in.requests import (
    LIFE,
    MOST_MAILS,
    MOST_OF_CATEGORY,
    PAUSE,
    Origin,
    ask_to_confirm,
    unconfirmed,
)
from notifier.errors import InvalidInput
from notifier.models import Delivery, ProviderAccount, Template
from notifier.vocabulary.status import Mode
from tenants.models import Category, OptInProof, Preference, Recipient, Suppression, Tenant
from tenants.people.opt_out import opt_out, without
from tests.fixtures import Api, People, api_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(people: People) -> Recipient:
    """Her language is German. `news` needs a double opt-in, `tips` a single one, `orders` none."""
    for key, opt_in in (("news", "double"), ("tips", "single"), ("orders", "")):
        Category.objects.create(tenant=people.acme, key=key, name=key.title(), kind="marketing", opt_in=opt_in)
    return Recipient.objects.create(
        tenant=people.acme, external_id="ann", email="ann@mail.example", locale="de-AT", name="Ann"
    )


def choose(ann: Recipient, categories: dict[str, Any], origin: Origin | None = None) -> Preference:
    return change(ann.tenant_id, ann.pk, {"categories": categories}, origin or Origin("api"))


def mails() -> list[dict[str, Any]]:
    return [row.content or {} for row in Delivery.objects.filter(channel="email").order_by("id")]


def path_of(mail: dict[str, Any]) -> str:
    [path] = set(re.findall(r"http://[^/]+(/opt-in/[\w-]+)", mail["text"]))
    return str(path)


def opt_ins(ann: Recipient) -> list[str]:
    return list(Preference.objects.get(recipient=ann).categories_on)


def test_only_the_confirmed_opt_in_is_stored(ann: Recipient, people: People, api: Any, client: Client) -> None:
    acme: Api = api(people.acme_key)
    got = acme("PUT", "/v1/recipients/ann/preferences", {"categories": {"news": True, "tips": True, "orders": True}})
    assert got.status == 200, got.body
    assert got.body["categories"] == {"tips": True, "orders": True}
    [proof] = acme("GET", "/v1/recipients/ann/consents").body["data"]
    assert (proof["category"], proof["confirmed_at"]) == ("news", None)
    [mail] = mails()
    assert mail["subject"] == "Bitte bestätigen: News" and "ACME" in mail["text"]
    path = path_of(mail)
    for _ in range(2):
        page = client.get(path)  # a scanner, and the person
        assert page.status_code == 200 and "Ja, das möchte ich" in page.content.decode()
    assert "news" not in opt_ins(ann)
    posted = client.post(path)
    assert posted.status_code == 200 and "Danke" in posted.content.decode() and not posted.cookies
    assert sorted(opt_ins(ann)) == ["news", "orders", "tips"]
    assert acme("GET", "/v1/recipients/ann/preferences").body["categories"]["news"] is True


def test_the_proof_says_when_from_where_and_which_text(
    ann: Recipient, people: People, api: Any, client: Client
) -> None:
    asked = datetime.now(UTC)
    choose(ann, {"news": {"email": True, "sms": False}}, Origin("widget", "203.0.113.7", "Firefox"))
    path = path_of(mails()[0])
    client.post(path, headers={"user-agent": "Safari"}, REMOTE_ADDR="2001:db8::1")
    answer = api(people.acme_key)("GET", "/v1/recipients/ann/consents")
    [proof] = answer.body["data"]
    assert (proof["category"], proof["entries"], proof["asked_by"]) == ("news", ["news:email"], "widget")
    assert (proof["asked_from"], proof["asked_with"], proof["language"]) == ("203.0.113.7", "Firefox", "de")
    assert (proof["confirmed_from"], proof["confirmed_with"]) == ("2001:db8::1", "Safari")
    assert asked <= datetime.fromisoformat(proof["asked_at"]) <= datetime.fromisoformat(proof["confirmed_at"])
    assert "Möchten Sie Nachrichten zu „News“" in proof["text"] and path.rpartition("/")[2] not in proof["text"]
    assert proof["text_sha256"] == hashlib.sha256(proof["text"].encode()).hexdigest()
    assert api(people.acme_key)("GET", "/v1/recipients/bob/consents").status == 404
    assert api(people.globex_key)("GET", "/v1/recipients/ann/consents").status == 404


def test_a_recipient_gets_one_mail_a_category_in_ten_minutes(ann: Recipient) -> None:
    choose(ann, {"news": {"email": True}})
    choose(ann, {"news": {"email": True, "sms": True}})
    assert len(mails()) == 1
    assert OptInProof.objects.get().entries == ["news:email", "news:sms"]
    later = datetime.now(UTC) + PAUSE + timedelta(seconds=1)
    ask_to_confirm(ann.tenant_id, ann.pk, {"news": ["news"]}, Origin("api"), later)
    assert len(mails()) == 2


def test_a_test_key_asks_by_the_sandbox_and_its_mail_stands_for_no_live_one(
    ann: Recipient, people: People, api: Any
) -> None:
    put = ("PUT", "/v1/recipients/ann/preferences", {"categories": {"news": True}})
    by_test_key = api(api_key(people.acme, mode=Mode.TEST))
    for _ in range(MOST_OF_CATEGORY):
        assert by_test_key(*put).status == 200
        OptInProof.objects.update(asked_at=datetime.now(UTC) - PAUSE)
    assert unconfirmed(ann.pk, datetime.now(UTC)) == []
    OptInProof.objects.update(asked_at=datetime.now(UTC))
    assert api(people.acme_key)(*put).status == 200
    modes = Delivery.objects.order_by("id").values_list("mode", flat=True)
    assert list(modes) == ["test"] * MOST_OF_CATEGORY + ["live"]
    assert unconfirmed(ann.pk, datetime.now(UTC)) == ["news"]


def test_a_test_key_of_a_live_tenant_reaches_no_mailbox(ann: Recipient, people: People, api: Any) -> None:
    Tenant.objects.filter(pk=people.acme.pk).update(sandbox=False)
    registry.reset()
    put = ("PUT", "/v1/recipients/ann/preferences", {"categories": {"news": True}})
    assert api(people.acme_key)(*put).body["code"] == "no_confirmation"  # no account of its own
    assert api(api_key(people.acme, mode=Mode.TEST))(*put).status == 200
    assert ProviderAccount.objects.get(pk__in=Delivery.objects.values("account_id")).sandbox


def test_a_recipient_is_not_flooded_with_confirmation_mails(ann: Recipient) -> None:
    hours = (datetime.now(UTC) + timedelta(hours=n) for n in range(24))
    asked = []
    for now in hours:
        try:
            ask_to_confirm(ann.tenant_id, ann.pk, {"news": ["news"]}, Origin("api"), now)
        except InvalidInput as error:
            asked.append((error.code, error.field))
    assert len(mails()) == MOST_OF_CATEGORY
    assert asked == [("confirmation_too_soon", "categories.news")] * (24 - MOST_OF_CATEGORY)
    for n in range(MOST_MAILS):
        Category.objects.create(tenant=ann.tenant, key=f"c{n:02}", name="C", kind="marketing", opt_in="double")
    by_category = {f"c{n:02}": [f"c{n:02}"] for n in range(MOST_MAILS)}
    with pytest.raises(InvalidInput) as refused, transaction.atomic():
        ask_to_confirm(ann.tenant_id, ann.pk, by_category, Origin("page"), datetime.now(UTC))
    assert refused.value.field == f"categories.c{MOST_MAILS - MOST_OF_CATEGORY:02}"
    tomorrow = datetime.now(UTC) + timedelta(days=2)
    ask_to_confirm(ann.tenant_id, ann.pk, {"news": ["news"]}, Origin("api"), tomorrow)
    assert len(mails()) == MOST_OF_CATEGORY + 1


def test_what_was_confirmed_already_needs_no_mail_again(ann: Recipient, client: Client) -> None:
    choose(ann, {"news": True})
    client.post(path_of(mails()[0]))
    choose(ann, {"news": True, "orders": False})
    assert len(mails()) == 1 and opt_ins(ann) == ["news"]


def test_who_unsubscribed_by_a_mail_is_asked_before_a_server_subscribes_them_again(
    ann: Recipient, people: People, api: Any, client: Client
) -> None:
    Preference.objects.create(tenant=ann.tenant, recipient=ann, categories_on=["news"])
    opt_out(ann.tenant_id, ann.pk, "email", "news")
    put = ("PUT", "/v1/recipients/ann/preferences", {"categories": {"news": True}})
    got = api(people.acme_key)(*put).body["categories"]["news"]
    assert (got["email"], got["sms"]) == (False, True)
    assert Preference.objects.get(recipient=ann).categories_off == ["news:email"]
    client.post(path_of(mails()[0]))
    row = Preference.objects.get(recipient=ann)
    assert (row.categories_off, row.categories_on) == ([], ["news"])


def test_an_opt_in_to_a_channel_holds_while_one_to_the_category_waits(ann: Recipient, client: Client) -> None:
    choose(ann, {"news": {"email": True}})
    client.post(path_of(mails()[0]))
    OptInProof.objects.update(asked_at=datetime.now(UTC) - PAUSE)
    choose(ann, {"news": True})
    assert opt_ins(ann) == ["news:email"] and len(mails()) == 2
    client.post(path_of(mails()[1]))
    assert opt_ins(ann) == ["news"]


def test_an_old_link_does_not_undo_a_later_opt_out(ann: Recipient, client: Client) -> None:
    choose(ann, {"news": True})
    path = path_of(mails()[0])
    client.post(path)
    choose(ann, {"news": False})
    assert client.post(path).status_code == 200
    assert opt_ins(ann) == [] and Preference.objects.get(recipient=ann).categories_off == ["news"]


def test_the_link_of_an_earlier_mail_does_not_undo_a_later_opt_out(ann: Recipient, client: Client) -> None:
    choose(ann, {"news": {"email": True}})
    choose(ann, {"news": {"sms": True, "email": True}})  # the same mail
    OptInProof.objects.update(asked_at=datetime.now(UTC) - PAUSE)
    choose(ann, {"news": {"sms": True, "email": True}})
    first, second = map(path_of, mails())
    client.post(second)
    choose(ann, {"news": False})
    assert client.post(first).status_code == client.get(first).status_code == 410
    assert opt_ins(ann) == [] and Preference.objects.get(recipient=ann).categories_off == ["news"]


def test_after_everything_off_the_page_says_that_it_still_holds(ann: Recipient, client: Client) -> None:
    choose(ann, {"news": True})
    Preference.objects.update_or_create(recipient=ann, defaults={"tenant_id": ann.tenant_id, "everything_off": True})
    page = client.post(path_of(mails()[0])).content.decode()
    assert "Das gilt weiter" in page and "Danke" not in page
    link = re.search(r'href="([^"]*/preferences/[^"]*)"', page)
    assert link and client.get(urlsplit(link[1]).path).status_code == 200


def test_a_link_ends_after_seven_days(ann: Recipient, client: Client) -> None:
    choose(ann, {"news": True})
    proof = OptInProof.objects.get()
    just_before, over = proof.asked_at + LIFE - timedelta(seconds=1), proof.asked_at + LIFE
    confirm(ann.tenant_id, proof.pk, Origin("page"), over)
    assert opt_ins(ann) == []
    OptInProof.objects.update(asked_at=datetime.now(UTC) - LIFE)
    path = path_of(mails()[0])
    for answer in (client.get(path), client.post(path)):
        assert answer.status_code == 410 and "abgelaufen" in answer.content.decode()
    assert opt_ins(ann) == []
    OptInProof.objects.update(asked_at=proof.asked_at)
    confirm(ann.tenant_id, proof.pk, Origin("page"), just_before)
    assert opt_ins(ann) == ["news"]


def test_a_link_that_this_site_did_not_make_confirms_nothing(ann: Recipient, people: People, client: Client) -> None:
    choose(ann, {"news": True})
    token = path_of(mails()[0]).rpartition("/")[2]
    foreign = Recipient.objects.create(tenant=people.globex, external_id="eve")
    for each in ("x", "ü", "A" * 22, "A" * 10_000, token[:-2], token[2:], str(foreign.pk)):
        assert client.get(f"/opt-in/{each}").status_code == client.post(f"/opt-in/{each}").status_code == 404
    assert opt_ins(ann) == []
    Recipient.objects.filter(pk=ann.pk).update(status="erased")
    assert client.post(f"/opt-in/{token}").status_code == 404 and opt_ins(ann) == []


@pytest.mark.parametrize("why", ["no address", "suppressed"])
def test_without_a_mail_nothing_is_stored_and_the_category_is_named(ann: Recipient, why: str) -> None:
    if why == "no address":
        Recipient.objects.filter(pk=ann.pk).update(email="")
    else:
        Suppression.objects.create(tenant=ann.tenant, channel="email", address=ann.email)
    with pytest.raises(InvalidInput) as caught:
        choose(ann, {"news": True, "tips": True})
    assert (caught.value.field, caught.value.code) == ("categories.news", "no_confirmation")
    assert not OptInProof.objects.exists() and not Preference.objects.exists()


def test_the_tenant_s_own_rule_and_its_own_text_count(ann: Recipient, client: Client) -> None:
    ann.tenant.opt_in = "double"
    ann.tenant.save()
    choose(ann, {"orders": True})
    assert mails()[0]["subject"] == "Bitte bestätigen: Orders"
    assert Template.objects.get(tenant=ann.tenant, key="opt-in-confirmation").versions.count() == 1
    client.post(path_of(mails()[0]))
    assert opt_ins(ann) == ["orders"]


@pytest.mark.parametrize(
    ("opt_outs", "entries", "kept"),
    [
        (["tips", "news"], ["news"], ["tips"]),
        (["news:sms"], ["news"], ["news:sms"]),
        (["news:sms"], ["news:sms"], []),
        (["news"], ["news:email", "news:sms", "news:push"], ["news:chat", "news:in_app"]),
    ],
)
def test_a_confirmation_ends_the_opt_outs_that_it_names(
    opt_outs: list[str], entries: list[str], kept: list[str]
) -> None:
    assert without(opt_outs, "news", entries, channels()) == kept
