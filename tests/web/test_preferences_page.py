"""A recipient's own page: who opens it, what it shows, what it stores, and how a link that has ended is renewed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from notifier.delivery.content.links.preferences_link import PreferencesLink, new_link, read_token, url_of
from notifier.models import Delivery, Notification, Template
from tenants.models import Category, Preference, Recipient, Suppression
from tenants.people.opt_out import opt_out
from tests.fixtures import Api, People

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(people: People) -> Recipient:
    for key, name, kind in (("news", "News", "marketing"), ("orders", "Orders", "transactional")):
        Category.objects.create(tenant=people.acme, key=key, name=name, kind=kind, description=f"About {name}.")
    Category.objects.create(tenant=people.acme, key="alerts", name="Security", kind="critical")
    Category.objects.create(tenant=people.acme, key="old", name="Gone", archived_at=datetime.now(UTC))
    Category.objects.create(tenant=people.globex, key="secret", name="Of Globex")
    return Recipient.objects.create(
        tenant=people.acme, external_id="ann", email="ann@mail.example", phone="+491701234567"
    )


def path_of(recipient: Recipient, *, ended: bool = False) -> str:
    link = new_link(recipient.tenant_id, recipient.pk)
    if ended:
        link = PreferencesLink(link.tenant_id, link.recipient_id, datetime.now(UTC) - timedelta(seconds=1))
    return "/" + url_of(link).split("/", 3)[3]


def text_of(answer: Any) -> str:
    body = re.sub(r"(?s)<style.*?</style>", "", answer.content.decode())
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def shown(answer: Any) -> list[str]:
    return re.findall(r'name="shown" value="([^"]+)"', answer.content.decode())


def checked(answer: Any) -> set[str]:
    return set(re.findall(r'name="on" value="([^"]+)" checked', answer.content.decode()))


def as_it_was(answer: Any) -> dict[str, list[str]]:
    """The hidden fields that say how each box was when the page was made."""
    return {
        name: re.findall(rf'name="{name}" value="([^"]+)"', answer.content.decode()) for name in ("was_on", "was_off")
    }


def send(client: Client, path: str, on: set[str] | None = None, /, **fields: str) -> Any:
    """Send the form as the page shows it, with these boxes checked; None: as they are."""
    page = client.get(path)
    boxes = checked(page) if on is None else on
    return client.post(path, {"shown": shown(page), "on": sorted(boxes), "quiet_from": "", "quiet_until": "", **fields})


def stored(recipient: Recipient) -> Preference:
    return Preference.objects.get(recipient=recipient)


def test_the_page_shows_what_the_recipient_may_choose_and_changes_nothing(ann: Recipient, client: Client) -> None:
    page = client.get(path_of(ann))
    text = text_of(page)
    assert page.status_code == 200 and page["Cache-Control"].startswith("max-age=0")
    assert "Your notifications from ACME" in text and "About News." in text and "Security" in text
    assert "Gone" not in text and "Of Globex" not in text and "ann@" not in text
    # no device and no chat address: these channels do not reach her; the inbox does
    names = {"email", "in_app", "sms"}
    assert set(shown(page)) == {f"channel.{n}" for n in names} | {
        f"category.{c}.{n}" for c in ("news", "orders") for n in names
    }
    assert checked(page) == set(shown(page))
    assert client.head(path_of(ann)).status_code == 200 and client.put(path_of(ann)).status_code == 405
    assert not Preference.objects.exists()


def test_choices_are_stored_and_shown_again(ann: Recipient, client: Client) -> None:
    path = path_of(ann)
    on = set(shown(client.get(path))) - {
        "channel.sms",
        "category.news.email",
        "category.news.sms",
        "category.news.in_app",
        "category.orders.sms",
    }
    answer = send(client, path, on, quiet_from="22:00", quiet_until="07:00", language="en")
    assert (answer.status_code, answer["Location"]) == (302, f"{path}?saved=1")
    row = stored(ann)
    assert (row.channels_off, sorted(row.categories_off)) == (["sms"], ["news", "orders:sms"])
    assert (row.quiet_from, row.quiet_until, row.language) == (time(22), time(7), "en")
    page = client.get(answer["Location"])
    assert "Your choices are saved." in text_of(page) and checked(page) == on
    assert 'value="22:00"' in page.content.decode()
    send(client, path, set(shown(page)))
    row = stored(ann)
    assert (row.channels_off, row.categories_off, row.quiet_from, row.language) == ([], [], None, "")


def test_what_the_page_does_not_show_stays_as_it_is(ann: Recipient, client: Client) -> None:
    Preference.objects.create(
        tenant=ann.tenant, recipient=ann, channels_off=["push"], categories_off=["gone", "news:push", "old:email"]
    )
    path = path_of(ann)
    assert "channel.push" in shown(client.get(path))
    send(client, path)
    row = stored(ann)
    assert (row.channels_off, sorted(row.categories_off)) == (["push"], ["gone", "news:push", "old:email"])


def test_everything_is_ended_but_the_essential(ann: Recipient, client: Client) -> None:
    assert client.post(path_of(ann), {"choice": "none"}).status_code == 302
    row = stored(ann)
    assert (row.everything_off, row.channels_off, row.categories_off) == (True, [], [])
    page = client.get(path_of(ann))
    assert "You have unsubscribed from all." in text_of(page) and 'value="none"' not in page.content.decode()
    # the other choices are kept, and saving them does not end it
    send(client, path_of(ann))
    assert stored(ann).everything_off
    assert client.post(path_of(ann), {"choice": "some"}).status_code == 302
    assert not stored(ann).everything_off


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"quiet_from": "22:00"}, "quiet_until"),
        ({"quiet_until": "22:00"}, "quiet_from"),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, "quiet_until"),
        ({"quiet_from": "25:00", "quiet_until": "07:00"}, "quiet_from"),
        ({"quiet_from": "<b>", "quiet_until": "07:00"}, "quiet_from"),
        ({"language": "xx"}, "language"),
        ({"snoozed_until": "2020-01-01"}, "snoozed_until"),
        ({"snoozed_until": "2999-01-01"}, "snoozed_until"),
        ({"snoozed_until": "tomorrow"}, "snoozed_until"),
    ],
)
def test_a_wrong_field_is_marked_and_nothing_is_stored(
    ann: Recipient, client: Client, fields: dict[str, str], wrong: str
) -> None:
    answer = send(client, path_of(ann), **fields)
    page = answer.content.decode()
    assert answer.status_code == 400 and "Nothing was saved" in page and "<b>" not in page
    assert re.search(rf'name="{wrong}"[^>]*aria-invalid="true"', page)
    assert not Preference.objects.exists()


def test_nonsense_fields_change_nothing(ann: Recipient, client: Client, people: People) -> None:
    nonsense = ["category.secret.email", "channel.fax", "category.alerts.email", "x" * 5000, "category..", "\0"]
    answer = client.post(path_of(ann), {"shown": nonsense, "on": nonsense})
    assert answer.status_code == 302
    assert (stored(ann).channels_off, stored(ann).categories_off) == ([], [])
    assert not Preference.objects.filter(tenant=people.globex).exists()


def test_a_link_that_this_site_did_not_make_opens_nothing(ann: Recipient, people: People, client: Client) -> None:
    bob = Recipient.objects.create(tenant=people.globex, external_id="bob")
    token = path_of(ann).rpartition("/")[2]
    spliced = path_of(bob).rpartition("/")[2][:20] + token[20:]
    for each in ("x", "ü", "A" * 22, "A" * 10_000, token[:-1], token[1:], spliced):
        assert client.get(f"/preferences/{each}").status_code == 404
        assert client.post(f"/preferences/{each}", {"choice": "none"}).status_code == 404
    assert not Preference.objects.exists()


def test_a_recipient_who_was_deleted_or_erased_has_no_page(ann: Recipient, client: Client) -> None:
    path = path_of(ann)
    Recipient.objects.filter(pk=ann.pk).update(status="erased")
    assert client.get(path).status_code == 404 and client.post(path).status_code == 404
    ann.delete()
    assert client.get(path).status_code == 404


def test_an_ended_link_changes_nothing_and_sends_one_new_link_to_the_stored_address(
    ann: Recipient, client: Client
) -> None:
    path = path_of(ann, ended=True)
    page = client.get(path)
    assert page.status_code == 410 and "a…@mail.example" in text_of(page) and "News" not in text_of(page)
    for _ in range(2):
        page = client.post(path, {"choice": "none"})
        assert page.status_code == 410 and "A new link is on its way to a…@mail.example." in text_of(page)
    assert not Preference.objects.exists()
    (delivery,) = Delivery.objects.all()
    assert (delivery.channel, delivery.address) == ("email", "ann@mail.example")
    (url,) = re.findall(r"http\S+/preferences/(\S+)", (delivery.content or {})["text"])
    link = read_token(url)
    assert link is not None and not link.ended and link.recipient_id == ann.pk
    assert Notification.objects.get().category == "" and Template.objects.get().key == "preferences-link"


def test_without_an_address_that_takes_mail_the_page_says_whom_to_ask(ann: Recipient, client: Client) -> None:
    Recipient.objects.filter(pk=ann.pk).update(email="")
    path = path_of(ann, ended=True)
    for page in (client.get(path), client.post(path)):
        assert "Please ask ACME for a new link." in text_of(page)
    assert not Notification.objects.exists()


def test_a_pause_ends_at_midnight_of_the_recipients_zone_and_can_be_taken_back(ann: Recipient, client: Client) -> None:
    Recipient.objects.filter(pk=ann.pk).update(timezone="America/New_York")
    day = (datetime.now(UTC) + timedelta(days=40)).date()
    send(client, path_of(ann), snoozed_until=day.isoformat())
    until = stored(ann).snoozed_until
    assert until is not None and until.astimezone(ZoneInfo("America/New_York")) == datetime.combine(
        day, time(), ZoneInfo("America/New_York")
    )
    page = client.get(path_of(ann))
    assert f'name="snoozed_until" value="{day.isoformat()}"' in page.content.decode()
    Preference.objects.update(snoozed_until=until + timedelta(hours=5))
    send(client, path_of(ann), snoozed_until=day.isoformat())
    assert stored(ann).snoozed_until == until + timedelta(hours=5)  # the API's own moment of that day stays
    send(client, path_of(ann), snoozed_until="")
    assert stored(ann).snoozed_until is None


def test_a_preferred_channel_for_all_and_for_one_category(ann: Recipient, client: Client) -> None:
    Preference.objects.create(tenant=ann.tenant, recipient=ann, preferred_channels={"old": "push"})
    send(client, path_of(ann), preferred="email", **{"preferred.news": "sms", "preferred.alerts": "sms"})
    assert stored(ann).preferred_channels == {"old": "push", "": "email", "news": "sms", "alerts": "sms"}
    page = client.get(path_of(ann)).content.decode()
    assert page.count('value="sms" selected') == 2 and page.count('value="email" selected') == 1
    send(client, path_of(ann), preferred="", **{"preferred.news": ""})
    assert stored(ann).preferred_channels == {"old": "push", "alerts": "sms"}
    assert send(client, path_of(ann), preferred="fax").status_code == 400
    assert send(client, path_of(ann), **{"preferred.news": "push"}).status_code == 400  # no device


def test_a_category_with_opt_in_is_off_until_it_is_chosen_and_a_default_is_no_consent(
    ann: Recipient, client: Client
) -> None:
    Category.objects.filter(key="news").update(opt_in="single")
    path = path_of(ann)
    assert checked(client.get(path)) == {name for name in shown(client.get(path)) if "news" not in name}
    send(client, path)
    assert (stored(ann).categories_on, stored(ann).categories_off) == ([], [])
    on = checked(client.get(path)) | {"category.news.email"}
    send(client, path, on)
    assert (stored(ann).categories_on, stored(ann).categories_off) == (["news:email"], [])
    assert checked(client.get(path)) == on
    send(client, path, on | {"category.news.sms"})
    assert stored(ann).categories_on == ["news:email", "news:sms"]
    send(client, path, on - {"category.news.email"})
    assert (stored(ann).categories_on, stored(ann).categories_off) == ([], ["news"])
    Preference.objects.update(categories_on=["news"], categories_off=[])
    send(client, path)
    assert stored(ann).categories_on == ["news"]
    send(client, path, checked(client.get(path)) - {"category.news.sms"})
    assert (stored(ann).categories_off, "news:push" in stored(ann).categories_on) == (["news:sms"], True)


def test_a_double_opt_in_is_asked_for_by_mail(ann: Recipient, client: Client) -> None:
    Category.objects.filter(key="news").update(opt_in="double")
    path = path_of(ann)
    answer = send(client, path, checked(client.get(path)) | {"category.news.email"})
    page = client.get(answer["Location"])
    assert "Please confirm by the link in the mail that we sent you: News" in text_of(page)
    assert "category.news.email" not in checked(page) and stored(ann).categories_on == []
    Recipient.objects.filter(pk=ann.pk).update(email="")
    Category.objects.create(tenant=ann.tenant, key="tips", name="Tips", kind="marketing", opt_in="double")
    refused = send(client, path, checked(client.get(path)) | {"category.tips.sms", "category.news.sms"})
    assert refused.status_code == 400 and "no mail can be sent to you now" in text_of(refused)


def test_a_confirmed_opt_in_is_narrowed_and_widened_again_without_a_mail(ann: Recipient, client: Client) -> None:
    """Also by a recipient whom no mail reaches: an opt-out is never refused."""
    Category.objects.filter(key="news").update(opt_in="double")
    Recipient.objects.filter(pk=ann.pk).update(email="")
    path = path_of(ann)
    Preference.objects.create(tenant=ann.tenant, recipient=ann, categories_on=["news"])
    send(client, path, checked(client.get(path)) - {"category.news.sms"})
    assert stored(ann).categories_off == ["news:sms"] and "news:in_app" in stored(ann).categories_on
    # the unsubscribe link leaves the opt-in; the recipient's own page ends the opt-out
    Preference.objects.update(categories_on=["news"], categories_off=["news:in_app"])
    assert send(client, path, quiet_from="22:00", quiet_until="07:00").status_code == 302
    assert stored(ann).categories_off == ["news:in_app"] and "news:sms" in stored(ann).categories_on
    Preference.objects.update(categories_on=["news"], categories_off=["news:in_app"])
    assert send(client, path, checked(client.get(path)) | {"category.news.in_app"}).status_code == 302
    assert stored(ann).categories_off == [] and "news:in_app" in stored(ann).categories_on
    assert not Delivery.objects.exists()


def test_the_tenants_own_texts_are_shown_as_text(ann: Recipient, client: Client) -> None:
    texts = {"en": {"title": "Hi {sender.__class__}", "intro": "<b>Choose</b>\nwell", "footer": "Acme & Co"}}
    ann.tenant.page_texts = texts
    ann.tenant.save()
    page = client.get(path_of(ann)).content.decode()
    assert "<h1>Hi {sender.__class__}</h1>" in page and "&lt;b&gt;Choose&lt;/b&gt;<br>well" in page
    assert "Acme &amp; Co</footer>" in page
    german = client.get(path_of(ann), headers={"accept-language": "de"}).content.decode()
    assert "Ihre Benachrichtigungen von ACME" in german and "Acme &amp; Co" not in german


@pytest.mark.parametrize(
    ("language", "accepted", "title"),
    [
        ("de-AT", "en", "Ihre Benachrichtigungen von ACME"),
        ("", "es-MX,es;q=0.9", "Sus notificaciones de ACME"),
        ("", "xx, fr", "Your notifications from ACME"),
        ("fr", "de", "Ihre Benachrichtigungen von ACME"),
    ],
)
def test_the_page_speaks_the_recipients_language(
    ann: Recipient, client: Client, language: str, accepted: str, title: str
) -> None:
    Recipient.objects.filter(pk=ann.pk).update(locale=language)
    page = client.get(path_of(ann), headers={"accept-language": accepted})
    assert title in text_of(page)


def test_the_page_has_the_tenants_colour_and_logo_and_may_load_that_logo_only(ann: Recipient, client: Client) -> None:
    ann.tenant.brand_color, ann.tenant.logo_url = "#ffcc00", "https://cdn.acme.example/logo.png"
    ann.tenant.save()
    page = client.get(path_of(ann))
    body, policy = page.content.decode(), page["Content-Security-Policy"]
    assert "--brand: #ffcc00; --on-brand: #000000" in body and 'src="https://cdn.acme.example/logo.png"' in body
    assert "img-src 'self' https://cdn.acme.example data:" in policy and "form-action 'self'" in policy


@pytest.mark.parametrize(
    ("logo", "images"),
    [
        ("https://例え.jp/logo.png", "img-src 'self' https://xn--r8jz45g.jp data:;"),
        ("https://cdn.acme.example:8443/l.png", "img-src 'self' https://cdn.acme.example:8443 data:;"),
        ("https://x;sandbox;@cdn.acme.example/l.png", "img-src 'self' https://cdn.acme.example data:;"),
        ("https://cdn.acme.example?x;sandbox;", "img-src 'self' https://cdn.acme.example data:;"),
    ],
    ids=range(4),
)
def test_no_address_of_a_logo_breaks_the_policy(ann: Recipient, client: Client, logo: str, images: str) -> None:
    ann.tenant.logo_url = logo
    ann.tenant.save()
    policy = client.get(path_of(ann))["Content-Security-Policy"]
    assert images in policy and "sandbox" not in policy and policy.startswith("default-src 'none';")


def test_a_page_with_many_categories_can_be_saved(ann: Recipient, client: Client) -> None:
    Category.objects.bulk_create(
        Category(tenant=ann.tenant, key=f"subject-{n}", name=f"Subject {n}", kind="marketing") for n in range(400)
    )
    path = path_of(ann)
    page = client.get(path)
    on = sorted(checked(page) - {"category.subject-7.email"})
    fields = urlencode({"shown": shown(page), "on": on, "quiet_from": "", "quiet_until": ""}, doseq=True)
    answer = client.post(path, fields, content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, stored(ann).categories_off) == (302, ["subject-7:email"])


def test_saving_a_page_that_was_open_does_not_undo_an_unsubscribe(ann: Recipient, client: Client) -> None:
    page = client.get(path_of(ann))  # with every box checked
    opt_out(ann.tenant_id, ann.pk, "email", "news")
    fields = as_it_was(page)
    on = sorted(checked(page) - {"category.orders.sms"})
    hours = {"quiet_from": "22:00", "quiet_until": "07:00"}
    client.post(path_of(ann), {"shown": shown(page), "on": on, **hours, **fields})
    assert sorted(stored(ann).categories_off) == ["news:email", "orders:sms"] and stored(ann).quiet_from
    # the page is made again, shows the opt-out, and the recipient checks the box
    page = client.get(path_of(ann))
    fields = as_it_was(page)
    assert fields["was_off"] == ["category.news.email", "category.orders.sms"]
    client.post(path_of(ann), {"shown": shown(page), "on": sorted(checked(page) | {"category.news.email"}), **fields})
    assert stored(ann).categories_off == ["orders:sms"]


def test_the_api_makes_the_link(ann: Recipient, people: People, api: Any, client: Client) -> None:
    acme: Api = api(people.acme_key)
    got = acme("POST", "/v1/recipients/ann/preferences-link")
    assert got.status == 201, got.body
    assert client.get("/" + got.body["url"].split("/", 3)[3]).status_code == 200
    assert datetime.fromisoformat(got.body["ends_at"]) > datetime.now(UTC) + timedelta(days=29)
    assert acme("POST", "/v1/recipients/bob/preferences-link").status == 404
    assert api(people.globex_key)("POST", "/v1/recipients/ann/preferences-link").status == 404


def test_a_tenant_of_any_default_locale_can_renew_a_link(ann: Recipient, client: Client) -> None:
    ann.tenant.default_locale = "fr"
    ann.tenant.save()
    assert "is on its way" in text_of(client.post(path_of(ann, ended=True)))
    assert Delivery.objects.filter(recipient_id=ann.pk, channel="email").count() == 1


def test_a_suppressed_address_gets_no_new_link(ann: Recipient, client: Client) -> None:
    Suppression.objects.create(tenant=ann.tenant, channel="email", address=ann.email)
    assert "Please ask ACME for a new link." in text_of(client.post(path_of(ann, ended=True)))
    assert {row.reason for row in Delivery.objects.all()} == {"address_suppressed"}
