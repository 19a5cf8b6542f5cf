"""The composer of templates without JavaScript: its fields, its buttons, its versions, what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from notifier.delivery.content import templates
from notifier.models import Notification, Template
from tenants.models import AuditLog, Member, Recipient, Tenant
from tests.admin.conftest import Browser, Site, url
from tests.admin.filled_forms import LogIn, errors

pytestmark = pytest.mark.django_db
MAIL = {"subject": "Hi {{ recipient.name }}", "html": "<p>Your order</p>"}


def fields(content: Any) -> dict[str, Any]:
    """The fields of an editor with this content."""
    named: dict[str, Any] = {"has": []}
    for name, by_locale in content.items():
        for locale, parts in by_locale.items():
            named["has"].append(f"{name}:{locale}")
            for part, value in parts.items():
                where = f"{name}:{locale}:{part}"
                if isinstance(value, dict):
                    for n, (key, text) in enumerate(value.items()):
                        named |= {f"key:{where}:{n}": key, f"value:{where}:{n}": text}
                else:
                    named[f"part:{where}"] = value
    return named


def form(site: Site, content: Any, **values: Any) -> dict[str, Any]:
    return {"tenant": str(site.people.acme.pk), "key": "hello", "name": "", **fields(content), **values}


def published(site: Site, content: Any, key: str = "hello", **values: Any) -> Template:
    row = Template.objects.create(tenant=site.people.acme, key=key, **values)
    templates.publish(row, content)
    return row


def test_the_fields_of_the_editor_become_the_content(site: Site, log_in: LogIn) -> None:
    content = {
        "email": {"en": MAIL, "de": {"subject": "Hallo", "text": "Zwei\nZeilen"}},
        "push": {"en": {"title": "Hi", "data": {"order": "{{ order }}"}, "apns": {"subtitle": "Now"}}},
    }
    sent = form(site, content, note="A first try")
    sent["part:email:de:text"] = "Zwei\r\nZeilen"  # as browsers send line ends
    sent |= {"key:push:en:data:9": "", "value:push:en:data:9": "", "part:push:en:image": ""}  # what was left empty
    assert log_in(site.people.ben).post(url(Template, "add"), sent).status_code == 302
    version = Template.objects.get(key="hello").versions.get()
    assert (version.content, version.note, version.created_by) == (content, "A first try", site.people.ben)


def test_the_fields_may_come_as_one(site: Site, log_in: LogIn) -> None:
    content = {"in_app": {"en": {"title": "Hi", "body": "x"}}}
    flat = [[k, v] for k, values in fields(content).items() for v in (values if isinstance(values, list) else [values])]
    sent = {"tenant": str(site.people.acme.pk), "key": "hello", "name": "", "composed": json.dumps(flat)}
    assert log_in(site.people.ben).post(url(Template, "add"), sent).status_code == 302
    assert Template.objects.get(key="hello").versions.get().content == content


@pytest.mark.parametrize(
    "composed",
    ["", "[", "7", "{}", '[["has"]]', '[["has", 7]]', "[" * 9000, '[["has", "x"]]', '[["has", "\\ud800:en"]]'],
)
def test_what_is_no_editor_stores_nothing(site: Site, log_in: LogIn, composed: str) -> None:
    sent = {"tenant": str(site.people.acme.pk), "key": "hello", "name": "", "composed": composed}
    answer = log_in(site.people.ben).post(url(Template, "add"), sent)
    assert answer.status_code == 200 and errors(answer)["content"]
    assert not Template.objects.filter(key="hello").exists()


def test_every_mistake_stands_at_its_field_with_line_and_column(site: Site, log_in: LogIn) -> None:
    content = {
        "email": {"en": {"subject": "Hi", "html": "<mjml>\n<mj-body><mj-section></mj-body>\n</mjml>"}},
        "push": {"en": {"title": "{{ a | nofilter }}", "body": "one\n{% if x %}"}},
    }
    answer = log_in(site.people.ben).post(url(Template, "add"), form(site, content))
    html = answer.content.decode()
    assert [line in html for line in ("Line 2, column 10:", "Line 1, column 8:", "Line 2, column 1:")] == [True] * 3
    assert "Unknown filter: nofilter." in html and "expected tag endif" in html
    assert "content.push.en.title" in str(errors(answer)["content"])
    # what was typed stays
    assert "{{ a | nofilter }}" in html
    assert not Template.objects.filter(key="hello").exists()


def test_a_mistake_in_a_page_is_counted_from_the_template_not_from_its_layout(site: Site, log_in: LogIn) -> None:
    layout = {"tenant": str(site.people.acme.pk), "key": "own", "html": "<style>a{b:c}</style>\n\n{{ content }}"}
    browser = log_in(site.people.ben)
    assert browser.post(reverse("admin:notifier_layout_add"), {**layout, "is_default": "on"}).status_code == 302
    content = {"email": {"en": {"subject": "Hi", "html": "one\n<a {{ x }}>two</a>"}}}
    assert "stands inside of an HTML tag" in browser.post(url(Template, "add"), form(site, content)).content.decode()


def pressed(browser: Browser, page: str, sent: dict[str, Any], button: str) -> Any:
    answer = browser.post(page, {**sent, "_compose": button})
    assert answer.status_code == 200
    return answer.context["editor"]


def test_the_buttons_change_the_editor_and_store_nothing(site: Site, log_in: LogIn) -> None:
    browser, page = log_in(site.people.ben), url(Template, "add")
    empty = browser.get(page)
    assert empty.context["editor"].tabs == [] and b"What shall the message be?" in empty.content
    editor = pressed(browser, page, form(site, {}), "add-channel:sms")
    assert [(tab.name, [locale.tag for locale in tab.locales]) for tab in editor.tabs] == [("sms", ["en"])]
    sent = form(site, {"sms": {"en": {"text": "Hello"}}})
    editor = pressed(browser, page, {**sent, "add_locale:sms": "de-at"}, "add-locale:sms")
    assert [(each.tag, each.state, each.plain[0].text) for each in editor.tabs[0].locales] == [
        ("en", "default", "Hello"), ("de-AT", "ok", "Hello"),
    ]  # fmt: skip
    editor = pressed(browser, page, {**sent, "add_locale:sms": "nowhere land"}, "add-locale:sms")
    assert editor.mistakes and len(editor.tabs[0].locales) == 1
    two = form(site, {"sms": {"en": {"text": "Hello"}, "de": {"text": "x"}}})
    assert pressed(browser, page, two, "copy-default:sms:de").tabs[0].locales[1].plain[0].text == "Hello"
    assert len(pressed(browser, page, two, "remove-locale:sms:de").tabs[0].locales) == 1
    assert pressed(browser, page, two, "remove-channel:sms").tabs == []
    for odd in ("", "add-channel:pigeon", "add-locale:nothing", "copy-default:a:b", "remove-locale::", ":::"):
        pressed(browser, page, two, odd)
    assert not Template.objects.filter(key="hello").exists()


def states(browser: Browser, row: Template) -> dict[str, str]:
    editor = browser.get(url(Template, "change", row.pk)).context["editor"]
    return {locale.tag: locale.state for locale in editor.tabs[0].locales}


def test_a_locale_is_outdated_when_the_default_changed_after_it(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ben)
    row = published(site, {"sms": {"en": {"text": "one"}, "de": {"text": "eins"}}})
    assert states(browser, row) == {"en": "default", "de": "ok"}
    templates.publish(row, {"sms": {"en": {"text": "two"}, "de": {"text": "eins"}, "fr": {"text": "deux"}}})
    assert states(browser, row) == {"en": "default", "de": "outdated", "fr": "ok"}
    templates.publish(row, {"sms": {"en": {"text": "two"}, "de": {"text": "zwei"}, "fr": {"text": "deux"}}})
    assert states(browser, row) == {"en": "default", "de": "ok", "fr": "ok"}
    content = {"sms": {"en": {"text": "two!"}, "de": {"text": "zwei"}, "fr": {"text": "deux"}}}
    browser.post(url(Template, "change", row.pk), {**form(site, content), "reviewed": ["sms:fr"]})
    assert states(browser, row) == {"en": "default", "de": "outdated", "fr": "ok"}
    # without a change of the content, no version
    browser.post(url(Template, "change", row.pk), {**form(site, content), "reviewed": ["sms:de", "odd", "a:b"]})
    assert states(browser, row)["de"] == "ok" and row.versions.count() == 4


def test_an_export_can_be_imported_and_what_is_none_is_refused(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ben)
    content = {"email": {"en": MAIL}, "push": {"en": {"title": "Hi", "body": "x"}}}
    row = published(site, content)
    exported = browser.get(reverse("admin:notifier_template_export", args=[row.pk]))
    assert exported["Content-Disposition"] == 'attachment; filename="hello-v1.json"'
    assert json.loads(exported.content) == content

    def imported(body: bytes) -> Any:
        file = SimpleUploadedFile("a.json", body, "application/json")
        answer = browser.post(url(Template, "add"), {**form(site, {}), "_compose": "import", "import_file": file})
        assert answer.status_code == 200
        return answer.context["editor"]

    assert [tab.name for tab in imported(exported.content).tabs] == ["email", "push"]
    assert [tab.name for tab in imported(json.dumps({"key": "a", "content": content}).encode()).tabs] == [
        "email",
        "push",
    ]
    for odd in (b"", b"{", b"7", b"[]", b'{"a": 1}', b"\xff", b"[" * 2000, b'{"push": {"not a locale": {}}}'):
        assert imported(odd).mistakes, odd
    assert row.versions.count() == 1


def test_versions_are_listed_compared_and_restored(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ben)
    row = published(site, {"sms": {"en": {"text": "Your order is on its way"}}})
    changed = {"sms": {"en": {"text": "Your parcel is on its way"}}, "chat": {"en": {"text": "new"}}}
    templates.publish(row, changed, site.people.ben)
    listed = browser.get(reverse("admin:notifier_template_versions", args=[row.pk])).content.decode()
    assert "ben" in listed and "published" in listed
    difference = browser.get(reverse("admin:notifier_template_difference", args=[row.pk])).content.decode()
    assert "<del>order</del><ins>parcel</ins>" in difference and "Chat" in difference
    assert browser.post(reverse("admin:notifier_template_restore", args=[row.pk]), {"number": "1"}).status_code == 302
    newest = row.versions.first()
    assert newest is not None and (newest.number, newest.note) == (3, "Restored from version 1")
    assert newest.content == {"sms": {"en": {"text": "Your order is on its way"}}}
    assert AuditLog.objects.filter(action="template.publish", object_id=str(row.pk)).exists()
    for odd in ("", "99", "x"):
        assert (
            browser.post(reverse("admin:notifier_template_restore", args=[row.pk]), {"number": odd}).status_code == 404
        )
    assert browser.get(reverse("admin:notifier_template_difference", args=[row.pk]), {"from": "77"}).status_code == 404


def test_the_newest_version_is_sent_to_oneself(site: Site, log_in: LogIn) -> None:
    browser, acme = log_in(site.people.ben), site.people.acme
    row = published(site, {"in_app": {"en": {"title": "Order {{ order }}", "body": "x"}}})
    Recipient.objects.create(tenant=acme, external_id="ben-1", email="Ben@example.com")
    page = browser.get(url(Template, "change", row.pk))
    assert page.context["tester"] == "ben-1"
    send = reverse("admin:notifier_template_send", args=[row.pk])
    refused = browser.client.post(send, {"recipient": "ben-1"}, headers={"accept": "application/json"})
    assert refused.status_code == 400 and "order" in refused.json()["error"]
    sent = {"recipient": "ben-1", "preview_data": '{"order": "17"}', "channel": "in_app"}
    answer = browser.client.post(send, sent, headers={"accept": "application/json"})
    assert answer.json() == {"outcomes": ["Inbox: on its way to the sandbox, which reaches no phone."]}
    assert Notification.objects.filter(version__template=row).count() == 1
    assert AuditLog.objects.filter(action="template.test").count() == 1
    stranger = browser.client.post(send, {**sent, "recipient": "quokka-1"}, headers={"accept": "application/json"})
    assert stranger.status_code == 400


def test_a_viewer_reads_the_editor_and_may_neither_send_nor_restore(site: Site, log_in: LogIn, vera: Any) -> None:
    browser = log_in(vera)
    row = published(site, {"sms": {"en": {"text": "Hello you"}}})
    page = browser.get(url(Template, "change", row.pk))
    assert page.status_code == 200 and "Hello you" in page.content.decode()
    assert not page.context["editor"].can_edit and 'name="_save"' not in page.content.decode()
    for name in ("send", "restore"):
        assert (
            browser.post(reverse(f"admin:notifier_template_{name}", args=[row.pk]), {"number": "1"}).status_code == 403
        )
    assert browser.post(url(Template, "change", row.pk), form(site, {"sms": {"en": {"text": "x"}}})).status_code == 403
    assert row.versions.count() == 1


def test_the_list_says_channels_locales_and_uses(site: Site, log_in: LogIn) -> None:
    published(site, {"sms": {"en": {"text": "a"}, "de": {"text": "b"}}, "email": {"en": MAIL}})
    html = log_in(site.people.ben).get(url(Template, "changelist")).content.decode()
    assert "SMS" in html and "Email" in html and "de, en" in html
    # the digest of the fixture uses its template
    assert "digest of zebra news" in html


def test_no_page_of_a_template_opens_for_another_tenant(site: Site, log_in: LogIn) -> None:
    row = published(site, {"sms": {"en": {"text": "a"}}})
    cleo = log_in(site.people.cleo)
    for name in ("versions", "difference", "export"):
        assert cleo.get(reverse(f"admin:notifier_template_{name}", args=[row.pk])).status_code == 404
    for name in ("send", "restore"):
        assert cleo.post(reverse(f"admin:notifier_template_{name}", args=[row.pk]), {}).status_code == 404
    assert Tenant.objects.count() == 2


def test_an_empty_list_says_what_to_do(site: Site, log_in: LogIn) -> None:
    empty = Tenant.objects.create(name="Empty", slug="empty")
    Member.objects.create(tenant=empty, user=site.people.cleo, role=Member.Role.AUTHOR)
    Member.objects.filter(tenant=site.people.globex, user=site.people.cleo).delete()
    html = log_in(site.people.cleo).get(url(Template, "changelist")).content.decode()
    assert "There is no template yet." in html and "Write the first one" in html


def test_the_pages_of_a_template_need_few_queries(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ben)
    row = published(site, {"email": {"en": MAIL}, "sms": {"en": {"text": "a"}, "de": {"text": "b"}}})
    for page in (
        url(Template, "change", row.pk),
        url(Template, "changelist"),
        reverse("admin:notifier_template_versions", args=[row.pk]),
    ):
        browser.get(page)
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(page).status_code == 200
        asked = [q["sql"] for q in queries if q["sql"].startswith(("SELECT", " SELECT", "\nSELECT", "DECLARE"))]
        asked = [sql for sql in asked if "set_config" not in sql]
        assert len(asked) <= 12, (page, asked)
