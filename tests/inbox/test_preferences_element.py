"""<notifier-preferences> on the demo page, in a real browser: by keyboard, at 320 pixels, in three languages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from inbox.http.demo_page import demo_link
from notifier.models import Delivery
from tenants.models import Category, Preference, Recipient
from tenants.people.opt_out import opt_out
from tests.browser import open_page
from tests.inbox.web import Web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def page(chrome: Browser, web: Web, dora: Recipient) -> Iterator[Page]:
    """The demo page of Dora, who has an inbox and an email address; `news` needs a double opt-in."""
    for key, kind, opt_in in (("offers", "marketing", ""), ("news", "marketing", "double"), ("alerts", "critical", "")):
        Category.objects.create(tenant=dora.tenant, key=key, name=key.title(), kind=kind, opt_in=opt_in)
    Recipient.objects.filter(pk=dora.pk).update(email="dora@mail.example")
    with open_page(chrome, viewport={"width": 320, "height": 700}) as page:
        link = demo_link(dora)
        page.goto(web.origin + link[link.index("/inbox/") :])
        page.locator("notifier-inbox").evaluate("inbox => inbox.removeAttribute('open')")
        yield page


def element(page: Page) -> Locator:
    return page.locator("notifier-preferences")


def saved(page: Page, words: str = "Saved.") -> None:
    expect(element(page).get_by_role("status")).to_have_text(words)


def stored(dora: Recipient) -> Preference:
    return Preference.objects.get(recipient=dora)


def test_each_choice_is_stored_at_once_and_the_focus_stays(page: Page, dora: Recipient) -> None:
    offers = element(page).get_by_role("group", name="Offers").get_by_role("checkbox", name="Email")
    expect(offers).to_be_checked()
    offers.focus()
    page.keyboard.press("Space")
    saved(page)
    expect(offers).not_to_be_checked()
    expect(offers).to_be_focused()
    assert (stored(dora).categories_off, stored(dora).categories_on) == (["offers:email"], [])
    page.keyboard.press("Space")
    expect(offers).to_be_checked()
    saved(page)
    expect(element(page).get_by_role("group", name="Alerts").get_by_role("checkbox")).to_have_count(0)
    element(page).get_by_label("Preferred channel").first.select_option("in_app")
    element(page).get_by_label("From").fill("22:00")
    element(page).get_by_label("Until", exact=True).fill("07:00")
    element(page).get_by_role("button", name="Unsubscribe from all").click()
    expect(element(page).get_by_role("button", name="Get messages again")).to_be_focused()
    row = stored(dora)
    assert (row.categories_off, row.categories_on, row.preferred_channels) == ([], [], {"": "in_app"})
    assert (f"{row.quiet_from:%H:%M}", f"{row.quiet_until:%H:%M}", row.everything_off) == ("22:00", "07:00", True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_a_person_does_meanwhile_survives_the_storing_of_a_change(page: Page, dora: Recipient) -> None:
    held: list[Route] = []
    page.route("**/v1/inbox/preferences", lambda route: hold_first_change(route, held))
    with page.expect_request(lambda request: request.method == "PUT"):
        element(page).get_by_label("Preferred channel").first.select_option("in_app")
    element(page).get_by_label("From").fill("22:00")
    button = element(page).get_by_role("button", name="Unsubscribe from all")
    button.hover()
    page.mouse.down()
    held[0].continue_()
    saved(page)
    expect(element(page).get_by_label("From")).to_have_value("22:00")
    page.mouse.up()
    expect(element(page).get_by_role("button", name="Get messages again")).to_be_focused()
    element(page).get_by_label("Until", exact=True).fill("07:00")
    element(page).get_by_role("button", name="Get messages again").click()
    expect(button).to_be_focused()
    row = stored(dora)
    assert (row.preferred_channels, f"{row.quiet_from:%H:%M}", row.everything_off) == ({"": "in_app"}, "22:00", False)


def hold_first_change(route: Route, held: list[Route]) -> None:
    """Keep the first PUT for the test to send on; send every other request on."""
    if route.request.method == "PUT" and not held:
        held.append(route)
    else:
        route.continue_()


def test_a_subject_with_double_opt_in_waits_for_the_mail(page: Page, dora: Recipient) -> None:
    news = element(page).get_by_role("group", name="News")
    expect(news.get_by_role("checkbox", name="Email")).not_to_be_checked()
    news.get_by_role("checkbox", name="Email").click()
    saved(page, "We sent you a mail. Please confirm by the link in it.")
    expect(news).to_contain_text("Waits for your confirmation by the link in our mail.")
    expect(news.get_by_role("checkbox", name="Email")).not_to_be_checked()
    assert Delivery.objects.filter(recipient_id=dora.pk, channel="email").count() == 1
    assert stored(dora).categories_on == []


def test_a_change_does_not_undo_an_unsubscribe_since_the_page_was_opened(page: Page, dora: Recipient) -> None:
    offers = element(page).get_by_role("group", name="Offers")
    expect(offers.get_by_role("checkbox", name="Email")).to_be_checked()
    opt_out(dora.tenant_id, dora.pk, "email", "offers")
    element(page).get_by_role("group", name="News").get_by_role("checkbox", name="Email").focus()
    offers.get_by_role("checkbox", name="app").click()
    saved(page)
    expect(offers.get_by_role("checkbox", name="Email")).not_to_be_checked()
    assert stored(dora).categories_off == ["offers"]


@pytest.mark.parametrize(
    ("language", "button"), [("de", "Alles abbestellen"), ("es-MX", "Cancelar todas las suscripciones")]
)
def test_the_element_speaks_the_language_of_its_attribute(page: Page, language: str, button: str) -> None:
    element(page).evaluate("(element, language) => element.setAttribute('lang', language)", language)
    expect(element(page).get_by_role("button", name=button)).to_be_visible()


def test_wrong_times_are_marked_and_not_stored(page: Page, dora: Recipient) -> None:
    element(page).get_by_label("From").fill("22:00")
    element(page).get_by_label("Until", exact=True).fill("22:00")
    expect(element(page).get_by_label("Until", exact=True)).to_have_attribute("aria-invalid", "true")
    element(page).get_by_label("Pause until").fill("2999-01-01")
    expect(element(page).get_by_label("Pause until")).to_have_attribute("aria-invalid", "true")
    assert not Preference.objects.filter(recipient=dora).exists()
