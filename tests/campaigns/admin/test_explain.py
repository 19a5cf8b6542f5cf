"""The admin's pages "Why did this person not get it?": of a campaign, and of a recipient."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse

from tenants.models import Preference, Recipient, User
from tests.campaigns.conftest import Browser, Site, armed, page, recipients, sent, text

Open = Callable[[User], Browser]


def recipient(site: Site, external_id: str) -> Recipient:
    return Recipient.objects.get(tenant=site.acme, external_id=external_id)


def test_a_campaign_tells_why_a_person_got_nothing(site: Site, browser: Open) -> None:
    Preference.objects.create(tenant=site.acme, recipient=recipient(site, "bob"), everything_off=True)
    campaign = sent(armed(site.draft()))
    recipients(site.acme, "late")
    ben = browser(site.people.ben)
    assert page("explain", campaign) in ben.get(page("change", campaign)).content.decode()
    bob = text(ben.get(f"{page('explain', campaign)}?recipient=bob"))
    assert "suppressed: everything_off" in bob and "everything_off is true (changed 20" in bob
    late = text(ben.get(f"{page('explain', campaign)}?recipient=late"))
    assert "left out: the recipient came after the campaign was armed" in late
    assert "There is no recipient" in text(ben.get(f"{page('explain', campaign)}?recipient=zoe"))


def test_a_recipients_page_leads_to_a_dry_run(site: Site, browser: Open) -> None:
    ada = recipient(site, "ada")
    Preference.objects.create(tenant=site.acme, recipient=ada, channels_off=["push"])
    ben, why = browser(site.people.ben), reverse("admin:notifier_notification_why", args=[ada.pk])
    assert why in ben.get(reverse("admin:tenants_recipient_change", args=[ada.pk])).content.decode()
    assert "No message was sent to this person yet" in text(ben.get(why))
    shown = text(ben.get(f"{why}?template=spring&channel=&category="))
    assert "push: suppressed (channel_off)" in shown and "in_app: leaves" in shown
    assert "The template has no content for: email." in text(ben.get(f"{why}?template=spring&channel=email&category="))
    assert "Select a valid choice" in text(ben.get(f"{why}?template=none"))


@pytest.mark.parametrize("who", ["cleo", "vic"])
def test_a_viewer_sees_the_pages_and_a_member_of_another_tenant_does_not(site: Site, browser: Open, who: str) -> None:
    user = site.vic if who == "vic" else site.people.cleo
    campaign, ada = armed(site.draft()), recipient(site, "ada")
    expected = 200 if who == "vic" else 404
    assert browser(user).get(f"{page('explain', campaign)}?recipient=ada").status_code == expected
    why = reverse("admin:notifier_notification_why", args=[ada.pk])
    assert browser(user).get(f"{why}?template=spring").status_code == expected
