"""Templates with their previews, attached files and routes; layouts and senders."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from notifier.delivery.content import templates
from notifier.delivery.content.attachments.listing import MAX_BYTES, MAX_FILES
from notifier.models import Layout, Sender, Template
from tenants.models import (
    Recipient,
)
from tests.admin.conftest import Site, url
from tests.admin.filled_forms import LogIn, errors, template

pytestmark = pytest.mark.django_db


def test_saving_a_template_publishes_a_version_and_only_when_the_content_changed(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ben)
    content = {"in_app": {"en": {"title": "Hi", "body": "{{ recipient.name }}"}}}
    assert browser.post(url(Template, "add"), template(site, content)).status_code == 302
    made = Template.objects.get(key="hello")
    page = url(Template, "change", made.pk)
    browser.post(page, template(site, content))
    browser.post(page, template(site, {"in_app": {"en": {"title": "Hello", "body": "x"}}}))
    assert [v.number for v in made.versions.all()] == [2, 1]


def test_a_mistake_in_a_template_names_its_place(site: Site, log_in: LogIn) -> None:
    broken = {"in_app": {"en": {"title": "{% if %}", "body": "x"}}}
    answer = log_in(site.people.ben).post(url(Template, "add"), template(site, broken))
    assert "content.in_app.en.title" in str(errors(answer)["content"])
    assert not Template.objects.filter(key="hello").exists()


def test_a_preview_shows_what_one_person_would_get(site: Site, log_in: LogIn) -> None:
    page = reverse("admin:notifier_template_preview", args=[site.acme_rows[Template].pk])
    html = log_in(site.people.ben).get(page, {"recipient": "zebra-1", "variables": "{}"}).content.decode()
    assert "zebra person" in html
    strange = log_in(site.people.ben).get(page, {"recipient": "quokka-1", "variables": "{}"}).content.decode()
    assert "There is no such recipient." in strange


def test_a_preview_counts_the_segments_of_an_sms(site: Site, log_in: LogIn) -> None:
    row = site.acme_rows[Template]
    templates.publish(row, {"sms": {"en": {"text": "ş" * 71}}})
    page = reverse("admin:notifier_template_preview", args=[row.pk])
    html = log_in(site.people.ben).get(page, {"recipient": "zebra-1", "variables": "{}"}).content.decode()
    assert "71 characters in 2 segments" in html and "UCS-2" in html


@pytest.mark.parametrize(
    ("variables", "said"),
    [("[1]", "must be an object"), ("7", "must be an object"), ('{"nil": 1}', "use another name")],
)
def test_wrong_variables_of_a_preview_are_reported(site: Site, log_in: LogIn, variables: str, said: str) -> None:
    page = reverse("admin:notifier_template_preview", args=[site.acme_rows[Template].pk])
    answer = log_in(site.people.ben).get(page, {"recipient": "zebra-1", "variables": variables})
    assert (answer.status_code, said in answer.content.decode()) == (200, True)


def test_an_uploaded_file_is_attached_to_the_email_in_every_locale(site: Site, log_in: LogIn) -> None:
    part = {"subject": "Hi", "text": "Your invoice"}
    upload = SimpleUploadedFile("Rechnung.pdf", b"%PDF", "application/pdf")
    form = {**template(site, {"email": {"en": part, "de": part}}), "uploads": [upload]}
    assert log_in(site.people.ben).post(url(Template, "add"), form).status_code == 302
    email = Template.objects.get(key="hello").versions.get().content["email"]
    assert [file["name"] for parts in email.values() for file in parts["attachments"]] == ["Rechnung.pdf"] * 2
    page = reverse("admin:notifier_template_preview", args=[Template.objects.get(key="hello").pk])
    shown = log_in(site.people.ben).get(page, {"recipient": "zebra-1", "variables": "{}"}).content.decode()
    assert "📎 Rechnung.pdf" in shown
    refused = {**template(site, {"email": {"en": part}}, "other"), "uploads": [SimpleUploadedFile("a.exe", b"MZ")]}
    answer = log_in(site.people.ben).post(url(Template, "add"), refused)
    assert "content.email.en.attachments.0.name" in str(errors(answer)["content"])


@pytest.mark.parametrize("listed", [7, True, "x", {"a": 1}, [7]])
def test_a_file_beside_a_list_that_is_none_is_refused(site: Site, log_in: LogIn, listed: object) -> None:
    part = {"subject": "Hi", "text": "Your invoice", "attachments": listed}
    form = {**template(site, {"email": {"en": part}}), "uploads": [SimpleUploadedFile("a.pdf", b"%PDF")]}
    answer = log_in(site.people.ben).post(url(Template, "add"), form)
    assert "content.email.en.attachments" in str(errors(answer)["content"])
    assert not Template.objects.filter(key="hello").exists()


def test_files_that_are_too_large_are_refused_before_they_are_read(site: Site, log_in: LogIn) -> None:
    part = {"subject": "Hi", "text": "Your invoice"}
    half = bytes(MAX_BYTES // 2 + 1)
    form = template(site, {"email": {"en": part}})
    two = [SimpleUploadedFile(f"{n}.pdf", half, "application/pdf") for n in range(2)]
    many = [SimpleUploadedFile(f"{n}.pdf", b"%PDF") for n in range(MAX_FILES + 1)]
    for uploads in (two, many):
        answer = log_in(site.people.ben).post(url(Template, "add"), {**form, "uploads": uploads})
        assert "10 files at most, of 10 MiB together" in str(errors(answer)["uploads"])
    assert not Template.objects.filter(key="hello").exists()


def test_a_layout_is_saved_and_its_templates_are_published_again(site: Site, log_in: LogIn) -> None:
    browser, acme = log_in(site.people.ben), site.people.acme
    welcome = Template.objects.create(tenant=acme, key="welcome")
    templates.publish(welcome, {"email": {"en": {"subject": "Hi", "html": "<p>Hello</p>"}}})
    form = {"tenant": str(acme.pk), "key": "frame", "html": "<b>{{ content }}</b>", "is_default": "on"}
    assert "stands 0 times" in str(errors(browser.post(url(Layout, "add"), {**form, "html": "<b></b>"}))["html"])
    assert browser.post(url(Layout, "add"), {**form, "publish_again": "on"}).status_code == 302
    newest = welcome.versions.first()
    assert newest is not None and newest.number == 2 and newest.published
    assert newest.published["email"]["en"]["html"] == "<b><p>Hello</p></b>"


def test_an_author_sees_senders_and_an_owner_adds_them(site: Site, log_in: LogIn) -> None:
    sender = {"tenant": str(site.people.acme.pk), "address": "@acme.example", "name": ""}
    assert log_in(site.people.ben).post(url(Sender, "add"), sender).status_code == 403
    assert log_in(site.people.ana).post(url(Sender, "add"), sender).status_code == 302
    wrong = log_in(site.people.ana).post(url(Sender, "add"), {**sender, "address": "acme"})
    assert "An address looks like" in str(errors(wrong)["address"])


def test_a_preview_tells_the_badge_and_that_a_push_is_silent(site: Site, log_in: LogIn) -> None:
    row = site.acme_rows[Template]
    page, browser = reverse("admin:notifier_template_preview", args=[row.pk]), log_in(site.people.ben)
    recipient = {"recipient": site.acme_rows[Recipient].external_id, "variables": "{}"}
    shown = {"title": "Hi", "badge": "unread", "apns": {"thread_id": "orders"}}
    templates.publish(row, {"push": {"en": shown}})
    answer = browser.get(page, recipient)
    assert "unread messages when the push leaves" in answer.content.decode()
    assert answer.context["previews"][0].rows["apns.thread_id"] == "orders"
    templates.publish(row, {"push": {"en": {"data": {"sync": "orders"}}}})
    silent = browser.get(page, recipient).context["previews"][0]
    assert (silent.rows, silent.is_silent) == ({"data.sync": "orders"}, True)


def test_the_form_lists_the_keys_of_a_push(site: Site, log_in: LogIn) -> None:
    templates.publish(site.acme_rows[Template], {"push": {"en": {"title": "Hi", "body": "x"}}})
    page = log_in(site.people.ben).get(url(Template, "change", site.acme_rows[Template].pk)).content.decode()
    assert "<code>interruption_level</code>" in page
    assert "one of: passive, active, time-sensitive, critical" in page


def test_a_route_of_a_template_is_saved_or_its_mistake_is_named(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ben)
    content = {"in_app": {"en": {"title": "Hi", "body": "x"}}, "sms": {"en": {"text": "Hi"}}}
    for route, words in (
        ('[{"channel": "in_app"}, {"channel": "sms"}]', "route.1.after"),
        ('[{"channel": "in_app"}, {"channel": "email", "after": "1h"}]', "route.1.channel"),
        ('{"channel": "in_app"}', "Must be a list of steps"),
    ):
        answer = browser.post(url(Template, "add"), {**template(site, content), "route": route})
        assert words in str(errors(answer)["route"])
    assert not Template.objects.filter(key="hello").exists()
    route = '[{"channel": "in_app"}, {"channel": "sms", "after": "1h"}]'
    assert browser.post(url(Template, "add"), {**template(site, content), "route": route}).status_code == 302
    saved = Template.objects.get(key="hello")
    assert saved.route == [{"channels": ["in_app"]}, {"channels": ["sms"], "after": "1h", "unless": "seen"}]
    assert browser.post(url(Template, "change", saved.pk), template(site, content)).status_code == 302
    saved.refresh_from_db()
    assert saved.route is None
