"""What the scripts of the composer ask for: mistakes and previews of content that is not stored, recipients, pictures,
the page of an email in a frame."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from notifier.models import StoredFile, Template, TemplateVersion
from tenants.models import Category, Preference, Recipient
from tests.admin.conftest import Browser, Site
from tests.admin.content.test_composer import fields, published
from tests.admin.filled_forms import LogIn

pytestmark = pytest.mark.django_db
LIVE = "admin:notifier_template_live"
#: the smallest pictures of each kind, by their first bytes
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\0" * 20
JPEG, GIF, WEBP = b"\xff\xd8\xff\xe0rest", b"GIF89arest", b"RIFF\x10\0\0\0WEBPVP8 rest"


def asked(browser: Browser, site: Site, content: Any, channel: str, locale: str = "en", **values: Any) -> Any:
    sent = {"tenant": str(site.people.acme.pk), "channel": channel, "locale": locale, **fields(content), **values}
    answer = browser.post(reverse(LIVE), sent)
    assert answer["Content-Type"] == "application/json"
    return answer.json()


def test_content_that_is_not_stored_is_shown_as_a_recipient_gets_it(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ben)
    before = TemplateVersion.objects.count()
    content = {"sms": {"en": {"text": "Hi {{ recipient.name }}, {{ order.id }} ş"}, "de": {"text": "Hallo"}}}
    shown = asked(browser, site, content, "sms", preview_recipient="zebra-1", preview_data='{"order": {"id": "17"}}')
    assert "Hi zebra person, 17 ş" in shown["preview"] and "UCS-2" in shown["preview"]
    assert (shown["mistakes"], shown["variables"], shown["locale"]) == ([], ["order.id"], "de")
    assert "gets de" in shown["preview"]  # the language that the recipient chose
    own = asked(browser, site, content, "sms", "", preview_recipient="zebra-1")
    assert "Hallo" in own["preview"]
    # a variable without a value is no reason to show nothing
    assert "‹order.id›" in asked(browser, site, content, "sms", preview_recipient="zebra-1")["preview"]
    assert TemplateVersion.objects.count() == before


def test_a_preview_says_the_rule_that_keeps_a_message_back(site: Site, log_in: LogIn) -> None:
    news = Category.objects.get(tenant=site.people.acme, key="zebra-news")
    Preference.objects.filter(recipient=site.acme_rows[Recipient]).update(categories_off=["zebra-news"])
    row = published(site, {"email": {"en": {"subject": "Hi", "text": "x"}}}, category=news)
    content = {"email": {"en": {"subject": "Hi", "text": "x"}}}
    shown = asked(log_in(site.people.ben), site, content, "email", template=str(row.pk), preview_recipient="zebra-1")
    assert "turned this category off" in shown["preview"]


def test_mistakes_are_told_with_line_and_column_while_typing(site: Site, log_in: LogIn) -> None:
    content = {"push": {"en": {"title": "Hi", "body": "one\n{{ x | nofilter }}", "apns": {"nokey": "x"}}}}
    mistakes = asked(log_in(site.people.ben), site, content, "push")["mistakes"]
    assert [(each["where"], each["line"], each["column"]) for each in mistakes] == [("push:en:body", 2, 8)]
    content = {"email": {"de": {"subject": "Hi", "html": "<mjml>\n<mj-body><mj-section></mj-body></mjml>"}}}
    told = asked(log_in(site.people.ben), site, content, "email", "de")
    assert [(each["where"], each["line"], each["column"]) for each in told["mistakes"]] == [("email:de:html", 2, 10)]


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in (1..9999) %}{% for b in (1..9999) %}x{% endfor %}{% endfor %}",
        "{% assign a = 'x' %}{% for i in (1..60) %}{% assign a = a | append: a %}{% endfor %}{{ a }}",
        "{{ 'x' | divided_by: 0 }}",
    ],
)
def test_a_template_that_takes_too_much_is_refused_in_time(site: Site, log_in: LogIn, text: str) -> None:
    shown = asked(log_in(site.people.ben), site, {"sms": {"en": {"text": text}}}, "sms")
    assert "cannot be rendered" in shown["preview"] or shown["mistakes"]


@pytest.mark.parametrize("data", ["[", "[1]", '"x"', '{"nil": 1}', "[" * 5000])
def test_test_data_that_no_template_can_read_is_refused(site: Site, log_in: LogIn, data: str) -> None:
    told = asked(log_in(site.people.ben), site, {"sms": {"en": {"text": "x"}}}, "sms", preview_data=data)
    assert told["field"].startswith("preview_data")


def test_every_look_is_shown(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ben)
    content = {
        "push": {
            "en": {"title": "Push title", "body": "b", "image": "https://a.example/b.png", "apns": {"subtitle": "s"}}
        },
        "in_app": {"en": {"title": "Card title", "body": "b"}},
        "email": {"en": {"subject": "Mail subject", "html": "<mjml><mj-body></mj-body></mjml>", "preheader": "before"}},
        "chat": {"en": {"text": "Chat text"}},
    }
    words = {"push": "phone--android", "in_app": "inbox-card", "email": "<iframe", "chat": "bubbles--chat"}
    for channel, word in words.items():
        assert word in asked(browser, site, content, channel, preview_recipient="zebra-1")["preview"], channel
    mail = asked(browser, site, content, "email")["preview"]
    assert "&lt;!doctype html&gt;" in mail and "<!doctype" not in mail  # the HTML beside the MJML, as text


def test_recipients_are_found_by_name_id_and_email_within_the_tenant(site: Site, log_in: LogIn) -> None:
    browser, acme = log_in(site.people.ben), str(site.people.acme.pk)
    for term in ("zebra pers", "zebra-1", "zebra@exam"):
        people = browser.get(reverse("admin:notifier_template_people"), {"tenant": acme, "q": term}).json()["people"]
        assert [each["id"] for each in people] == ["zebra-1"], term
    for term in ("quokka", "", "z", "%%%", "a" * 5000):
        people = browser.get(reverse("admin:notifier_template_people"), {"tenant": acme, "q": term}).json()["people"]
        assert people == []
    foreign = {"tenant": str(site.people.globex.pk), "q": "quokka"}
    assert browser.get(reverse("admin:notifier_template_people"), foreign).status_code == 404


@pytest.mark.parametrize(("content", "ending"), [(PNG, "png"), (JPEG, "jpg"), (GIF, "gif"), (WEBP, "webp")])
def test_an_uploaded_picture_gets_a_public_address(site: Site, log_in: LogIn, content: bytes, ending: str) -> None:
    browser, upload = log_in(site.people.ben), reverse("admin:notifier_template_picture")
    sent = {"tenant": str(site.people.acme.pk), "picture": SimpleUploadedFile("../a b.svg", content)}
    address = browser.post(upload, sent).json()["url"]
    assert address.endswith(f".{ending}")
    stored = StoredFile.objects.get(content_type__startswith="image/")
    assert stored.name == f"a b.{ending}"
    path = address.partition("/images/")
    answer = browser.client.get(f"/images/{path[2]}")
    assert (answer.content, answer["Content-Type"]) == (content, stored.content_type)
    assert answer["X-Content-Type-Options"] == "nosniff" and "immutable" in answer["Cache-Control"]
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert browser.client.get(f"/images/{path[2]}", headers={"if-none-match": answer["ETag"]}).status_code == 304
    again = {"tenant": str(site.people.acme.pk), "picture": SimpleUploadedFile("c.png", content)}
    assert browser.post(upload, again).json()["url"] == address


def test_nobody_guesses_the_address_of_a_picture(site: Site, log_in: LogIn) -> None:
    browser, upload = log_in(site.people.ben), reverse("admin:notifier_template_picture")
    sent = {"tenant": str(site.people.acme.pk), "picture": SimpleUploadedFile("a.png", PNG)}
    tenant, name = browser.post(upload, sent).json()["url"].split("/")[-2:]
    digest = name.partition("-")[0]
    for odd in (
        f"{site.people.globex.pk.hex}/{name}", f"{tenant}/{digest}.png", f"{tenant}/{digest}-.png",
        f"{tenant}/{name.replace('.png', '.gif')}", f"{tenant}/{'0' * 64}{name[64:]}", f"x/{name}", f"{tenant}/ß",
        f"{tenant}/{name}?", f"{tenant.upper()}/{name}",
    ):  # fmt: skip
        assert browser.client.get(f"/images/{odd}").status_code in ((200,) if odd.endswith("?") else (404,)), odd


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"), (b"", "PNG"), (b"\x89PNG", "PNG"),
     (PNG + bytes(5 * 1024 * 1024), "5 MiB")],
)  # fmt: skip
def test_what_is_no_picture_is_refused(site: Site, log_in: LogIn, content: bytes, said: str) -> None:
    sent = {"tenant": str(site.people.acme.pk), "picture": SimpleUploadedFile("a.png", content)}
    answer = log_in(site.people.ben).post(reverse("admin:notifier_template_picture"), sent)
    assert answer.status_code == 400 and (said in answer.json()["error"] or not content)
    assert not StoredFile.objects.filter(content_type__startswith="image/").exists()


def test_a_viewer_uploads_nothing(site: Site, log_in: LogIn, vera: Any) -> None:
    row = site.acme_rows[Template]
    sent = {"template": str(row.pk), "picture": SimpleUploadedFile("a.png", PNG)}
    assert log_in(vera).post(reverse("admin:notifier_template_picture"), sent).status_code == 403


def test_the_page_of_an_email_runs_nothing_and_only_this_site_frames_it(site: Site, log_in: LogIn) -> None:
    html = "<style>@media (prefers-color-scheme: dark) { p { color: red } }</style><script>x</script><p>Hi</p>"
    page = reverse("admin:notifier_template_page")
    answer = log_in(site.people.ben).post(page, {"mail_html": html, "dark": "1"})
    policy = answer["Content-Security-Policy"]
    assert "sandbox" in policy and "script-src" not in policy and "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy and "allow" not in policy.split("sandbox")[1]
    assert "(min-width:0)" in answer.content.decode() and "color-scheme:dark" in answer.content.decode()
    assert log_in(site.people.ben).get(page).status_code == 405


def test_the_scripts_get_nothing_of_another_tenant(site: Site, log_in: LogIn) -> None:
    cleo = log_in(site.people.cleo)
    foreign = str(site.acme_rows[Template].pk)
    for name, post in (
        (LIVE, True),
        ("admin:notifier_template_people", False),
        ("admin:notifier_template_picture", True),
    ):
        for values in ({"template": foreign}, {"tenant": str(site.people.acme.pk)}, {"template": "x"}, {}):
            answer = cleo.post(reverse(name), values) if post else cleo.get(reverse(name), values)
            assert answer.status_code == 404, (name, values)
    sent = {"template": str(site.globex_rows[Template].pk), "preview_recipient": "zebra-1", "channel": "sms"}
    told = cleo.post(reverse(LIVE), {**sent, **fields({"sms": {"en": {"text": "x"}}})})
    assert told.status_code == 400 and "no such recipient" in json.dumps(told.json())
