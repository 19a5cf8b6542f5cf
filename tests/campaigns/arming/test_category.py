"""A campaign keeps the category that it was armed with; opt-outs of that category hold, whatever changes later."""

from __future__ import annotations

import pytest
from django.urls import reverse

from campaigns import arming
from campaigns.lifecycle.launching import launch
from campaigns.models import Campaign
from campaigns.report import accounting
from notifier.errors import Conflict, InvalidInput
from notifier.models import Delivery, Template
from notifier.vocabulary.status import Status
from tenants import categories
from tenants.models import Category, Preference, Recipient
from tests.campaigns.conftest import Site
from tests.campaigns.fake_client import BUSY, Post, post, reported, retried, send

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["post"]


def opt_out_of_news(post: Post, external_id: str) -> None:
    person = Recipient.objects.get(tenant=post.tenant, external_id=external_id)
    Preference.objects.create(tenant=post.tenant, recipient=person, categories_off=["news"])


def news(post: Post) -> Category:
    return Category.objects.get(tenant=post.tenant, key="news")


def launched(campaign: Campaign) -> Campaign:
    launch.go(campaign.tenant_id, campaign.pk)
    campaign.refresh_from_db()
    return campaign


@pytest.mark.parametrize("state", ["arming", "armed", "launching", "running", "paused"])
def test_the_category_of_a_campaign_that_may_still_send_is_not_deleted(post: Post, state: str) -> None:
    post.people(2)
    campaign = post.armed()
    Template.objects.filter(pk=post.template.pk).update(category=None)
    Campaign.objects.filter(pk=campaign.pk).update(state=state)
    with pytest.raises(Conflict, match="campaign Sale") as refused:
        categories.delete(news(post))
    assert refused.value.code == "category_in_use"
    with pytest.raises(Conflict, match="campaign Sale"):
        categories.change(news(post), {"kind": "transactional"})
    assert news(post).kind == "marketing"


@pytest.mark.parametrize("state", ["draft", "finished", "cancelled", "failed"])
def test_the_category_of_a_campaign_that_sends_no_more_may_be_deleted(post: Post, state: str) -> None:
    post.people(2)
    campaign = post.armed()
    Template.objects.filter(pk=post.template.pk).update(category=None)
    Campaign.objects.filter(pk=campaign.pk).update(state=state)
    categories.delete(news(post))
    assert not Category.objects.filter(tenant=post.tenant).exists()


@pytest.mark.parametrize("change", ["archived", "taken from the template", "swapped", "deleted by force"])
def test_an_opt_out_holds_for_an_armed_campaign_whatever_happens_to_the_category(post: Post, change: str) -> None:
    post.people(4)
    opt_out_of_news(post, "t0")
    campaign = post.armed()
    template = Template.objects.filter(pk=post.template.pk)
    if change == "archived":
        categories.change(news(post), {"archived": True})
    elif change == "swapped":
        template.update(category=Category.objects.create(tenant=post.tenant, key="other", name="Other"))
    else:
        template.update(category=None)
    if change == "deleted by force":
        news(post).delete()
    opt_out_of_news(post, "t1")
    send(launched(campaign))
    assert post.client.counted == {"t2": 1, "t3": 1}
    accounting.account(campaign.pk)
    assert reported(campaign) == {("sent", ""): 2, ("suppressed", "category_off"): 2}
    assert set(Delivery.objects.filter(campaign_id=campaign.pk).values_list("category", flat=True)) == {"news"}


def test_an_opt_out_holds_for_a_retry_though_the_category_was_deleted(post: Post) -> None:
    post.people(2)
    campaign = launched(post.armed())
    post.client.fate = lambda token: BUSY if token == "t1" else 200
    send(campaign)
    Template.objects.filter(pk=post.template.pk).update(category=None)
    news(post).delete()
    opt_out_of_news(post, "t1")
    retried(campaign)
    assert post.client.counted == {"t0": 1, "t1": 1}
    assert Delivery.objects.get(campaign_id=campaign.pk, address="t1").status == Status.SUPPRESSED


def test_a_template_with_an_archived_category_cannot_be_armed(post: Post) -> None:
    post.people(2)
    draft = Campaign.objects.create(
        tenant=post.tenant, name="Later", template=post.template, channels=["push"], audience=post.armed().audience
    )
    categories.change(news(post), {"archived": True})
    with pytest.raises(InvalidInput) as refused:
        arming.request_arm(draft)
    assert (refused.value.code, refused.value.field) == ("category_archived", "template")


def test_the_form_says_that_the_templates_category_is_archived(site: Site, browser: object) -> None:
    categories.change(Category.objects.get(tenant=site.acme, key="news"), {"archived": True})
    fields = {"tenant": str(site.acme.pk), "name": "New", "template": str(site.template.pk), "mode": "live"}
    answer = browser(site.people.ben).post(reverse("admin:campaigns_campaign_add"), **fields)  # type: ignore[operator]
    assert "is archived: nothing new may use it" in answer.content.decode()
    assert not Campaign.objects.exists()
