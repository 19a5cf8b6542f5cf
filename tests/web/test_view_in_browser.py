"""The links of messages end to end: single notifications and campaigns on several channels, and an email as a page."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from campaigns import arming
from campaigns.models import Audience, Campaign, Shard
from campaigns.shard import payload
from notifier.delivery import accept
from notifier.delivery.content import templates
from notifier.delivery.content.links import preferences_link, unsubscribe_link
from notifier.delivery.content.links.browser_link import BrowserLink, url_of
from notifier.errors import Conflict, InvalidInput
from notifier.models import Delivery, Notification, Template
from notifier.vocabulary.people import SendRequest
from tenants import categories
from tenants.models import Category, Preference, Recipient
from tests.fixtures import Api, People

pytestmark = pytest.mark.django_db
LINKS = "{{ unsubscribe_url }} {{ preferences_url }} {{ view_in_browser_url }}"
PAGE = f"<p>Hi {{{{ recipient.name }}}}, {{{{ what }}}}</p>{'<p>News</p>' * 40}{LINKS}"
CONTENT = {
    "email": {"en": {"subject": "News", "html": PAGE, "text": f"Hi {LINKS}"}},
    "sms": {"en": {"text": f"News {LINKS}"}},
    "in_app": {"en": {"title": "News", "body": LINKS, "link": "{{ view_in_browser_url }}"}},
}


@pytest.fixture
def ann(people: People) -> Recipient:
    """She gets the template `news` of a marketing category on three channels."""
    news = Category.objects.create(tenant=people.acme, key="news", name="News", kind="marketing")
    Category.objects.create(tenant=people.acme, key="orders", name="Orders")
    template = Template.objects.create(tenant=people.acme, key="news", category=news)
    people.acme.sms_segments = 10
    people.acme.save()
    templates.publish(template, CONTENT)
    return Recipient.objects.create(
        tenant=people.acme, external_id="ann", name="Ann & Co", email="ann@mail.example", phone="+491701234567"
    )


def accepted(ann: Recipient, **values: Any) -> dict[str, Any]:
    """channel -> the rendered content of a notification."""
    [outcome] = accept(ann.tenant_id, [SendRequest("ann", "news", data={"what": "tea"}, **values)])
    assert not isinstance(outcome, Exception), outcome
    rows = Delivery.objects.filter(notification_id=outcome.notification_id)
    return {row.channel: row.content or {} for row in rows}


def path(text: str, name: str) -> str:
    found = re.search(rf"http://[^/]+(/{name}/[\w-]+)", text)
    assert found is not None, text
    return found[1]


def test_each_channel_opts_out_of_itself(ann: Recipient, client: Client) -> None:
    content = accepted(ann)
    texts = {"email": content["email"]["html"], "sms": content["sms"]["text"], "in_app": content["in_app"]["body"]}
    for channel, text in texts.items():
        link = unsubscribe_link.read_token(path(text, "unsubscribe").rpartition("/")[2])
        assert link == (ann.tenant_id, ann.pk, channel, "news")
        assert client.get(path(text, "preferences")).status_code == 200
        assert "Ann &amp; Co, tea" in client.get(path(text, "view")).content.decode()
    assert client.post(path(texts["sms"], "unsubscribe")).status_code == 200
    assert Preference.objects.get(recipient=ann).categories_off == ["news:sms"]


def test_the_link_of_an_order_leads_to_the_preferences(ann: Recipient) -> None:
    for values in ({"category": "orders"}, {"without_category": True}):
        text = accepted(ann, **values)["sms"]["text"]
        assert "/unsubscribe/" not in text and text.count("/preferences/") == 2


def test_a_campaign_gives_each_recipient_its_own_links(ann: Recipient, client: Client) -> None:
    bob = Recipient.objects.create(tenant=ann.tenant, external_id="bob", name="Bob", email="bob@mail.example")
    audience = Audience.objects.create(tenant=ann.tenant, name="all", source="everybody")
    campaign = Campaign.objects.create(
        tenant=ann.tenant, name="News", template=Template.objects.get(), audience=audience, channels=["email"],
        data={"what": "cake"},
    )  # fmt: skip
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    shard = Shard.objects.get(campaign=campaign)
    messages = payload.unpack(shard.payload.rows)
    assert len(messages.contents) == 1 and isinstance(messages.contents[0]["html"], list)
    pages = {messages.recipient(i): messages.content(i)["html"] for i in range(len(messages))}
    for person in (ann, bob):
        page = pages[person.pk]
        link = unsubscribe_link.read_token(path(page, "unsubscribe").rpartition("/")[2])
        assert link == (ann.tenant_id, person.pk, "email", "news")
        shown = client.get(path(page, "view")).content.decode()
        assert f"{person.name.replace('&', '&amp;')}, cake" in shown
    Recipient.objects.filter(pk=bob.pk).update(name="Robert")
    assert "Robert, cake" in client.get(path(pages[bob.pk], "view")).content.decode()  # as the person is now
    own = path(pages[bob.pk], "view")
    # the page of an old email gives no new right: its link to the preferences ends with that of the email
    for days, ended in ((29, False), (31, True)):
        Campaign.objects.update(armed_at=datetime.now(UTC) - timedelta(days=days))
        link_of_page = preferences_link.read_token(
            path(client.get(own).content.decode(), "preferences").rpartition("/")[2]
        )
        assert link_of_page is not None and link_of_page.ended is ended
    Recipient.objects.filter(pk=bob.pk).update(status="erased")
    assert client.get(own).status_code == 404


def test_the_page_runs_nothing_and_tells_nobody(ann: Recipient, client: Client) -> None:
    view = path(accepted(ann)["email"]["html"], "view")
    page = client.get(view)
    policy = page["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "sandbox allow-popups" in policy and "script" not in policy
    assert (page["Referrer-Policy"], page["Cache-Control"]) == ("no-referrer", "no-store")
    assert page["X-Robots-Tag"] == "noindex, nofollow" and not page.cookies
    assert client.head(view).status_code == 200 and client.post(view).status_code == 405


def test_a_link_that_is_forged_foreign_or_of_an_erased_person_shows_nothing(
    ann: Recipient, people: People, client: Client
) -> None:
    view = path(accepted(ann)["email"]["html"], "view")
    token = view.rpartition("/")[2]
    for each in ("x", "ü", "A" * 5_000, token[:-2], token[2:]):
        assert client.get(f"/view/{each}").status_code == 404
    notification = Notification.objects.get().pk
    eve = Recipient.objects.create(tenant=people.globex, external_id="eve")
    for link in (
        BrowserLink(people.globex.pk, eve.pk, notification),
        BrowserLink(ann.tenant_id, eve.pk, notification),
        BrowserLink(ann.tenant_id, ann.pk, campaign_id=uuid.uuid4()),
    ):
        assert client.get("/" + url_of(link).split("/", 3)[3]).status_code == 404
    Recipient.objects.filter(pk=ann.pk).update(status="erased")
    gone = client.get(view)
    assert gone.status_code == 404 and "tea" not in gone.content.decode() and gone["Cache-Control"] == "no-store"


def test_an_email_without_a_page_is_shown_as_text(ann: Recipient, client: Client) -> None:
    text = {"subject": "<News>", "text": f"<b>Hi</b> https://acme.example/a {LINKS}"}
    templates.publish(Template.objects.get(), {"email": {"en": text}})
    page = client.get(path(accepted(ann)["email"]["text"], "view")).content.decode()
    assert "&lt;b&gt;Hi&lt;/b&gt;" in page and 'href="https://acme.example/a"' in page


# -- marketing without a link to opt out is refused at the earliest moment ---------------------------------------------

PLAIN = {"email": {"en": {"subject": "News", "html": "<p>News</p>"}}, "in_app": {"en": {"title": "News", "body": "x"}}}


@pytest.fixture
def plain(ann: Recipient) -> Template:
    template = Template.objects.create(
        tenant=ann.tenant, key="plain", category=Category.objects.get(tenant=ann.tenant, key="orders")
    )
    templates.publish(template, PLAIN)
    return template


def test_a_request_that_makes_such_an_email_marketing_is_refused(
    ann: Recipient, plain: Template, people: People, api: Any
) -> None:
    acme: Api = api(people.acme_key)
    body = {"recipient": "ann", "template": "plain"}
    refused = acme("POST", "/v1/notifications", {**body, "category": "news"})
    assert (refused.status, refused.body["code"]) == (400, "no_unsubscribe_link")
    assert refused.body["field"] == "category" and not Notification.objects.exists()
    assert acme("POST", "/v1/notifications", {**body, "category": "news", "channels": ["in_app"]}).status == 202
    assert acme("POST", "/v1/notifications", body).status == 202


def test_a_template_does_not_move_to_a_marketing_category(
    ann: Recipient, plain: Template, people: People, api: Any
) -> None:
    acme: Api = api(people.acme_key)
    refused = acme("PUT", "/v1/templates/plain", {"category": "news", "content": PLAIN})
    assert (refused.status, refused.body["field"]) == (400, "content.email.en.html")
    assert Template.objects.select_related("category").get(pk=plain.pk).category.key == "orders"  # type: ignore[union-attr]


def test_its_category_does_not_become_marketing(ann: Recipient, plain: Template) -> None:
    with pytest.raises(Conflict, match="The email of plain has no link") as caught:
        categories.change(Category.objects.get(tenant=ann.tenant, key="orders"), {"kind": "marketing"})
    assert caught.value.code == "no_unsubscribe_link"
    templates.publish(plain, {"email": {"en": {**PLAIN["email"]["en"], "html": "{{ unsubscribe_url }}"}}})
    categories.change(Category.objects.get(tenant=ann.tenant, key="orders"), {"kind": "marketing"})


def test_no_campaign_takes_it_and_none_is_armed_with_it(
    ann: Recipient, plain: Template, people: People, api: Any
) -> None:
    # a version of an earlier release
    Template.objects.filter(pk=plain.pk).update(category=Category.objects.get(tenant=ann.tenant, key="news"))
    audience = Audience.objects.create(tenant=ann.tenant, name="all", source="everybody")
    acme: Api = api(people.acme_key)
    body = {"name": "Spring", "template": "plain", "audience": str(audience.pk)}
    refused = acme("POST", "/v1/campaigns", body)
    assert (refused.status, refused.body["field"]) == (400, "template") and not Campaign.objects.exists()
    assert acme("POST", "/v1/campaigns", {**body, "channels": ["in_app"]}).status == 201
    campaign = Campaign.objects.get()
    campaign.channels = ["email"]
    campaign.save()
    with pytest.raises(InvalidInput) as caught:
        arming.request_arm(campaign)
    assert caught.value.code == "no_unsubscribe_link"
