"""What tracked messages hold, by the tenant's choice; and that a token opens only what this site signed."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from django.test.utils import override_settings
from hypothesis import given
from hypothesis import strategies as st

from notifier.channels.base import Envelope
from notifier.delivery.content.links.unsubscribe_link import OptOut, link_to
from notifier.delivery.content.tracking import tracked_html
from notifier.delivery.content.tracking.tracked_html import PersonalLink, with_tracking
from notifier.delivery.content.tracking.tracked_link import TrackedLink, keys_of, read_token, token_of
from notifier.vocabulary.content import Tracking
from notifier.vocabulary.people import Address
from tenants.models import Tenant

TENANT, CAMPAIGN, DELIVERY = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
PAGE = '<body><a href="https://shop.example/?a=1&amp;b=2">shop</a> <a href="https://shop.example/{}">you</a></body>'


@pytest.fixture(autouse=True)
def fresh_choices() -> Iterator[None]:
    tracked_html.reset()
    yield
    tracked_html.reset()


def envelope(tenant: Tenant, campaign_id: uuid.UUID | None = CAMPAIGN) -> Envelope:
    return Envelope(DELIVERY, tenant.pk, uuid.uuid4(), Address("a@x.example"), DELIVERY.hex, campaign_id=campaign_id)


def addresses(html: str) -> list[str]:
    return re.findall(r'(?:href|src)="(http://127\.0\.0\.1:8000/[^"]*)"', html)


def a_tenant(choice: Tracking) -> Tenant:
    return Tenant.objects.create(name="Acme", slug=f"acme-{uuid.uuid4().hex[:8]}", tracking=choice)


@pytest.mark.django_db
def test_links_and_pixel_name_the_delivery() -> None:
    tenant = a_tenant(Tracking.ON)
    content = {"subject": "x", "text": "https://shop.example/", "html": PAGE.format("7")}
    tracked = with_tracking("email", content, envelope(tenant, None))
    assert (tracked["subject"], tracked["text"]) == ("x", "https://shop.example/")
    parts = [address.split("/")[3:] for address in addresses(tracked["html"])]
    assert [(path, end) for path, _, end in parts] == [("c", DELIVERY.hex), ("c", DELIVERY.hex), ("o", DELIVERY.hex)]
    assert [read_token(token) for _, token, _ in parts] == [
        TrackedLink(tenant.pk, "https://shop.example/?a=1&b=2"),
        TrackedLink(tenant.pk, "https://shop.example/7"),
        TrackedLink(tenant.pk, ""),
    ]


@pytest.mark.django_db
def test_only_the_campaign_is_counted_where_no_person_may_be() -> None:
    tenant = a_tenant(Tracking.ANONYMOUS)
    tracked = with_tracking("email", {"html": PAGE}, envelope(tenant))
    parts = [address.split("/")[3:] for address in addresses(tracked["html"])]
    assert [len(part) for part in parts] == [2, 2, 2]
    assert {read_token(token) and read_token(token).campaign_id for _, token in parts} == {CAMPAIGN}  # type: ignore[union-attr]
    assert DELIVERY.hex not in tracked["html"]
    assert with_tracking("email", {"html": PAGE}, envelope(tenant, None)) == {"html": PAGE}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("channel", "choice", "content"),
    [
        ("email", Tracking.OFF, {"html": PAGE}),
        ("email", Tracking.ON, {"text": "https://shop.example/"}),
        ("email", Tracking.ON, {"html": ""}),
        ("push", Tracking.ON, {"body": PAGE}),
    ],
)
def test_other_messages_stay_as_they_are(channel: str, choice: Tracking, content: dict[str, str]) -> None:
    assert with_tracking(channel, content, envelope(a_tenant(choice))) is content


@pytest.mark.django_db
def test_the_link_that_opts_out_is_not_tracked() -> None:
    tenant = a_tenant(Tracking.ON)
    own = link_to(OptOut(tenant.pk, uuid.uuid4(), "email", "news"))
    html = with_tracking("email", {"html": f'<a href="{own}">opt out</a>'}, envelope(tenant))["html"]
    assert html.startswith(f'<a href="{own}">')


@pytest.mark.django_db
def test_a_link_that_differs_by_recipient_fits_into_no_body_template() -> None:
    tenant, placeholders = a_tenant(Tracking.ON), re.compile("placeholder7")
    shared = {"html": PAGE.format("7") + "placeholder7 <a href='mailto:placeholder7@x.example'>"}
    assert "/c/" in with_tracking("email", shared, envelope(tenant), placeholders)["html"]
    for target in ("https://shop.example/placeholder7", "placeholder7", "&#x70;laceholder7"):
        with pytest.raises(PersonalLink):
            with_tracking("email", {"html": f'<a href="{target}">x</a>'}, envelope(tenant), placeholders)


def test_a_token_opens_only_what_this_site_signed() -> None:
    link = TrackedLink(TENANT, "https://shop.example/ü?a=1")
    token = token_of(link, keys_of(TENANT)[0])
    assert read_token(token) == link
    other = token_of(link, keys_of(uuid.uuid4())[0])
    counted = token_of(TrackedLink(TENANT, link.url, CAMPAIGN), keys_of(TENANT)[0])
    broken = ["", "x", "ü", "A" * 22, "A" * 400, "A" * 6_000, token[:-1], token[1:], token + "A", counted[:-4], other]
    assert [read_token(each) for each in broken] == [None] * len(broken)


@given(st.binary(max_size=80), st.integers(0, 60))
def test_no_damaged_token_opens_another_page(noise: bytes, at: int) -> None:
    link = TrackedLink(TENANT, "https://shop.example/")
    token = token_of(link, keys_of(TENANT)[0])
    text = token[:at] + noise.hex() + token[at + 1 :]
    assert read_token(text) in (None, link)
    read_token(noise.decode("latin-1"))


def test_a_new_key_leaves_earlier_links_valid() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    link = TrackedLink(TENANT, "https://shop.example/")
    with override_settings(ENCRYPTION_KEYS=[old]):
        token = token_of(link, keys_of(TENANT)[0])
    with override_settings(ENCRYPTION_KEYS=[new, old]):
        assert read_token(token) == link
    with override_settings(ENCRYPTION_KEYS=[new]):
        assert read_token(token) is None
