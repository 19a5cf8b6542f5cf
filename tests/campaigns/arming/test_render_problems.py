"""A recipient's unusable value excludes that recipient only; the problem names part, variable and recipient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from campaigns import arming
from campaigns.arming.limits import ArmingLimits
from campaigns.arming.planning import render_problems
from campaigns.arming.planning.render_problems import RenderProblem
from campaigns.models import Campaign
from campaigns.states import State
from notifier.delivery.content import templates
from notifier.models import Delivery
from notifier.vocabulary.status import Status
from tenants.models import Recipient, User
from tests.campaigns.conftest import Browser, Site, armed, page, recipients, text
from tests.fixtures import Api

pytestmark = pytest.mark.django_db(transaction=True)

POINTS = "{% if recipient.attributes.points > 20 %}Gold{% else %}Hi{% endif %} {{ recipient.name }}"


def publish(site: Site, title: str, body: str = "b") -> None:
    content = {name: {"en": {"title": title, "body": body}} for name in ("push", "in_app")}
    templates.publish(site.template, content)


def give(external_id: str, **attributes: Any) -> None:
    Recipient.objects.filter(external_id=external_id).update(attributes=attributes)


@pytest.fixture
def points(site: Site) -> Site:
    """Ada has points, Cy null, Dee none, and Bob's points are a text that is no number."""
    publish(site, POINTS)
    give("ada", points=150)
    give("bob", points="many")
    give("cy", points=None)
    return site


def test_only_the_recipient_with_an_unusable_value_is_excluded_and_listed(
    points: Site, api: Callable[[str], Api]
) -> None:
    campaign = armed(points.draft(channels=["push", "in_app"]))
    assert campaign.excluded == {"template_error": 2}
    left_out = Delivery.objects.filter(campaign_id=campaign.pk, status=Status.SUPPRESSED)
    bob = Recipient.objects.get(tenant=points.acme, external_id="bob")
    assert set(left_out.values_list("reason", "recipient_id")) == {("template_error", bob.pk)}
    for detail in left_out.values_list("detail", flat=True):
        assert detail.startswith("title cannot be rendered: recipient.attributes.points: ")
        assert "text" in detail and "number" in detail
    assert Delivery.objects.filter(campaign_id=campaign.pk, status=Status.ARMED).count() == 6
    acme = api(points.people.acme_key)
    for path in (f"/v1/campaigns/{campaign.pk}", f"/v1/campaigns/{campaign.pk}/preflight"):
        listed = acme("GET", path).body["problems"]
        assert {(p["channel"], p["reason"], p["count"], *p["recipients"]) for p in listed} == {
            ("push", "template_error", 1, "bob"), ("in_app", "template_error", 1, "bob"),
        }  # fmt: skip


def test_preflight_shows_problems_and_warns_above_a_share(
    points: Site, browser: Callable[[User], Browser], settings: Settings
) -> None:
    campaign = armed(points.draft())
    shown = text(browser(points.people.ben).get(page("change", campaign)))
    assert "1 of 4 messages could not be rendered" in shown
    assert "recipient.attributes.points" in shown and "bob" in shown
    settings.UNRENDERED_WARN_PERCENT = 30.0
    shown = text(browser(points.people.ben).get(page("change", campaign)))
    assert "messages could not be rendered" not in shown
    assert "Messages that cannot be sent" in shown and "bob" in shown


def test_arming_fails_with_the_variable_when_no_message_can_be_rendered(
    site: Site, browser: Callable[[User], Browser]
) -> None:
    publish(site, "Hi", "{{ 100 | divided_by: recipient.attributes.share }}")
    for name in ("ada", "bob", "cy"):
        give(name, share=0)
    campaign = site.draft()
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.state == State.DRAFT
    assert campaign.failure.startswith("Nobody can be reached: 3 on in_app: body cannot be rendered: ")
    assert "recipient.attributes.share: divided_by" in campaign.failure
    assert "1 on in_app: body cannot be rendered: recipient.attributes.share is undefined" in campaign.failure
    shown = text(browser(site.people.ben).get(page("change", campaign)))
    assert "Arming failed" in shown and "dee" in shown


def test_a_shared_part_fails_for_all_recipients_with_its_variable(site: Site) -> None:
    publish(site, "Hi {{ recipient.name }}", "{{ 100 | divided_by: what }}")
    campaign = site.draft(data={"what": 0})
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.state == State.DRAFT
    assert "4 on in_app: body cannot be rendered: what: " in campaign.failure


def test_only_the_recipient_whose_text_becomes_too_long_is_excluded(site: Site) -> None:
    publish(site, "Hi", "{{ recipient.attributes.story }}")
    for name in ("ada", "bob", "cy", "dee"):
        give(name, story="short")
    give("bob", story="x" * 6_000)
    campaign = armed(site.draft(channels=["push"]))
    assert campaign.excluded == {"template_error": 1}
    assert campaign.problems[0]["recipients"] == ["bob"]


def test_a_guarded_variable_excludes_no_recipient_and_a_shown_one_those_without_it(site: Site) -> None:
    publish(site, "{% if recipient.attributes.vip %}{{ recipient.attributes.vip }}{% else %}Hi{% endif %}")
    give("ada", vip="Dear Ada")
    assert armed(site.draft()).excluded == {}
    publish(site, "{{ recipient.attributes.vip }}")
    campaign = armed(site.draft())
    assert campaign.excluded == {"missing_variable": 3}
    (problem,) = campaign.problems
    assert (problem["count"], sorted(problem["recipients"])) == (3, ["bob", "cy", "dee"])
    assert "recipient.attributes.vip is undefined" in problem["detail"]


def test_a_new_arming_forgets_the_problems_of_the_last_one(points: Site) -> None:
    campaign = points.draft()
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    assert Campaign.objects.get(pk=campaign.pk).problems != []
    give("bob", points=1)
    assert armed_again(campaign).problems == []


def armed_again(campaign: Campaign) -> Campaign:
    campaign.refresh_from_db()
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.state == State.ARMED
    return campaign


def test_a_template_that_takes_too_long_fails_the_arming(site: Site) -> None:
    for n in range(130):
        recipients(site.acme, f"r{n}")
    publish(site, "{% for i in (1..999) %}{% if recipient.name == 'x' %}{% endif %}{% endfor %}Hi")
    campaign = site.draft()
    arming.request_arm(campaign)
    assert arming.begin(campaign.pk)
    arming.arm_ranges(campaign.pk, limits=ArmingLimits(cpu_seconds=0.0, cpu_seconds_per_recipient=0.0001))
    campaign.refresh_from_db()
    assert (campaign.state, "takes too long" in campaign.failure) == (State.DRAFT, True)


def cause(channel: str, detail: str, count: int, *people: str) -> RenderProblem:
    return {
        "channel": channel, "reason": "template_error", "detail": detail, "count": count, "recipients": list(people),
    }  # fmt: skip


def test_each_cause_is_listed_once_with_its_count_and_some_recipients() -> None:
    one = [cause("push", "a", 2, "x", "y"), cause("in_app", "a", 1, "x")]
    other = [cause("push", "a", 20, *(f"p{n}" for n in range(10))), cause("push", "b", 50, "z")]
    merged = render_problems.merge_problems(one, other)
    assert [(p["channel"], p["detail"], p["count"], len(p["recipients"])) for p in merged] == [
        ("push", "b", 50, 1), ("push", "a", 22, 10), ("in_app", "a", 1, 1),
    ]  # fmt: skip
    many = render_problems.merge_problems([], [cause("push", str(n), 1, "x") for n in range(100)])
    assert len(many) == render_problems.MAX_CAUSES
