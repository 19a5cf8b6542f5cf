"""The links of a message in templates: what `unsubscribe_url` and the others are, and which templates need one."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from notifier.delivery.content import templates
from notifier.delivery.content.links import browser_link, preferences_link, unsubscribe_link
from notifier.delivery.content.links.browser_link import BrowserLink
from notifier.delivery.content.links.variables import LinkedMessage, category_to_leave, link_values, sample_links
from notifier.delivery.content.liquid.text import LiquidText
from notifier.delivery.content.partly_rendered import Locale, values_between
from notifier.delivery.content.templates import Compiled
from notifier.errors import InvalidInput
from notifier.models import Layout
from notifier.vocabulary.content import BROWSER_URL, LINKS, PREFERENCES_URL, UNSUBSCRIBE_URL, TenantRules
from notifier.vocabulary.status import Kind
from tenants.models import Category, Tenant

TENANT, ANN, CAMPAIGN = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
UNSUBSCRIBE = "{{ unsubscribe_url }}"


def a_message(category: str = "news") -> LinkedMessage:
    return LinkedMessage(TENANT, ANN, "email", category, datetime(2030, 1, 1, tzinfo=UTC), campaign_id=CAMPAIGN)


def token(url: str) -> str:
    return url.rpartition("/")[2]


def test_each_link_names_its_message_and_its_recipient() -> None:
    values = link_values(LINKS, a_message())
    assert values.keys() == LINKS
    left = unsubscribe_link.read_token(token(values[UNSUBSCRIBE_URL]))
    assert left == (TENANT, ANN, "email", "news")
    own = preferences_link.read_token(token(values[PREFERENCES_URL]))
    assert own == (TENANT, ANN, datetime(2030, 1, 1, tzinfo=UTC))
    shown = browser_link.read_token(token(values[BROWSER_URL]))
    assert shown == BrowserLink(TENANT, ANN, campaign_id=CAMPAIGN)


def test_a_token_of_one_kind_opens_nothing_of_another_kind() -> None:
    values = link_values(LINKS, a_message())
    readers = (unsubscribe_link.read_token, preferences_link.read_token, browser_link.read_token)
    for name in (UNSUBSCRIBE_URL, PREFERENCES_URL, BROWSER_URL):
        assert sum(read(token(values[name])) is not None for read in readers) == 1


@pytest.mark.parametrize("kind", list(Kind))
def test_one_click_ends_marketing_only(kind: Kind) -> None:
    url = link_values([UNSUBSCRIBE_URL], a_message(category_to_leave(kind, "news")))[UNSUBSCRIBE_URL]
    assert ("/unsubscribe/" in url) == (kind is Kind.MARKETING) and ("/preferences/" in url) != ("/unsubscribe/" in url)


def test_the_links_of_a_preview_open_nothing() -> None:
    samples = sample_links()
    assert samples.keys() == LINKS
    assert unsubscribe_link.read_token(token(samples[UNSUBSCRIBE_URL])) is None


@pytest.mark.parametrize(
    "source", ["{% assign preferences_url = 'x' %}", "{% capture unsubscribe_url %}x{% endcapture %}"]
)
def test_a_template_cannot_replace_a_link(source: str) -> None:
    with pytest.raises(InvalidInput, match="a link that Notifier makes"):
        LiquidText(source)


def test_a_link_is_a_column_of_a_campaign_and_the_site_is_constant_text() -> None:
    """Tracking must see that the link leads to this site; else no body template would fit a tracked campaign."""
    page = "<p>News</p>" * 30 + "<a href='{{ unsubscribe_url }}'>{{ recipient.name }}</a>"
    compiled = Compiled({"email": {"en": {"subject": "News", "html": page}}})
    assert compiled.links == {"email": {UNSUBSCRIBE_URL}}
    form = compiled.render_partly(Locale("email", "en"), {}, TenantRules())
    values = link_values([UNSUBSCRIBE_URL], a_message())
    used, texts = form.render_columns({**values, "recipient": {"name": "Ann"}})
    assert used is form and form.parts["subject"] == "News"
    site, own = values[UNSUBSCRIBE_URL].split("/unsubscribe/")
    assert texts == (f"unsubscribe/{own}", "Ann")
    assert str(form.constants["html"][0]).endswith(f"<a href='{site}/")


# -- marketing needs a link ------------------------------------------------------------------------------------------

MAIL = {"subject": "News", "html": "<p>News</p>", "text": "News"}


@pytest.mark.parametrize(
    ("parts", "missing"),
    [
        (MAIL, "html"),
        ({**MAIL, "text": UNSUBSCRIBE}, "html"),
        ({**MAIL, "html": f"<a href='{UNSUBSCRIBE}'>No more</a>"}, ""),
        ({**MAIL, "html": "<a href='{{ preferences_url }}'>Choose</a>"}, ""),
        ({**MAIL, "html": "<a href='{{ view_in_browser_url }}'>Show</a>"}, "html"),
        ({"subject": "News", "text": "News"}, "text"),
        ({"subject": "News", "text": UNSUBSCRIBE}, ""),
        ({"subject": UNSUBSCRIBE, "text": "News"}, "text"),
    ],
    ids=range(8),
)
@pytest.mark.django_db
def test_a_marketing_email_without_a_link_to_opt_out_is_not_published(parts: dict[str, Any], missing: str) -> None:
    tenant = Tenant.objects.create(name="Acme", slug="acme")
    marketing, orders = (Category(tenant=tenant, key=kind, kind=kind) for kind in (Kind.MARKETING, Kind.TRANSACTIONAL))
    content = {"email": {"en": parts, "de": {**MAIL, "html": UNSUBSCRIBE}}}
    templates.prepare(content, tenant, category=orders)
    templates.prepare(content, tenant)
    if not missing:
        templates.prepare(content, tenant, category=marketing)
        return
    with pytest.raises(InvalidInput) as caught:
        templates.prepare(content, tenant, category=marketing)
    assert (caught.value.field, caught.value.code) == (f"content.email.en.{missing}", "no_unsubscribe_link")


@pytest.mark.django_db
def test_the_link_of_a_layout_counts_and_other_channels_need_none() -> None:
    tenant = Tenant.objects.create(name="Acme", slug="acme")
    marketing = Category(tenant=tenant, key="news", kind=Kind.MARKETING)
    layout = Layout(tenant=tenant, key="frame", html=f"{{{{ content }}}}<a href='{UNSUBSCRIBE}'>No more</a>")
    templates.prepare({"email": {"en": MAIL}}, tenant, layout, category=marketing)
    templates.prepare({"sms": {"en": {"text": "News"}}}, tenant, category=marketing)


@pytest.mark.django_db
def test_a_view_in_the_browser_needs_an_email() -> None:
    tenant = Tenant.objects.create(name="Acme", slug="acme")
    sms = {"en": {"text": "{{ view_in_browser_url }}"}}
    with pytest.raises(InvalidInput, match="no content for email"):
        templates.prepare({"sms": sms}, tenant)
    templates.prepare({"sms": sms, "email": {"en": MAIL}}, tenant)


LONG = "-" * 40 + "end"


@pytest.mark.parametrize(
    ("constants", "text", "values"),
    [
        (["<", "|", ">"], "<a|b>", ["a", "b"]),
        (["<", LONG, ">"], f"<a{LONG}b>", ["a", "b"]),
        (["<", LONG, ">"], f"<{'-' * 5}{LONG}b>", ["-----", "b"]),
        (["<", LONG, ">"], f"<{'-' * 500}{LONG}{LONG}>", ["-" * 500, LONG]),
        (["<", LONG, ">"], f"<{'-' * 500}>", None),
        (["", LONG, LONG], f"{LONG}{LONG}{LONG}", ["", LONG]),
        (["", LONG, LONG], LONG, None),
    ],
    ids=range(7),
)
def test_constants_are_found_where_they_stand_first(constants: list[str], text: str, values: list[str] | None) -> None:
    assert values_between(constants, text) == values
    if values is not None:
        assert text == "".join([constants[0], *(v + c for v, c in zip(values, constants[1:], strict=True))])
