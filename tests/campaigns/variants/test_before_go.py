"""What a careful sender sees of a test: a copy of each variant, preflight, the explanation, the approval's hash."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from campaigns.approval import content_hash
from campaigns.arming.email_page import render_email
from campaigns.audit import OPERATOR
from campaigns.edit.variants import put_variants
from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running.winner import choose_winner
from campaigns.models import Campaign
from campaigns.preflight import test_send
from campaigns.preflight.preflight import preflight
from campaigns.report.explain import explain_recipient
from notifier.delivery.content import templates
from notifier.errors import Conflict
from notifier.models import Notification, Template
from tenants.models import Recipient, Tenant
from tests.broker import Broker, broker
from tests.campaigns.conftest import CONTENT, Site, armed
from tests.campaigns.variants.conftest import HOLDOUT, REST, crowd, parts, with_variants

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]


def fresh(campaign: Campaign) -> Campaign:
    return Campaign.objects.select_related("template__category", "audience", "tenant").get(pk=campaign.pk)


def test_a_test_send_is_a_copy_of_each_variant(site: Site, broker: Broker) -> None:
    # of four people a smaller share may be nobody
    campaign = fresh(with_variants(site, test_percent=100))
    accepted = test_send.send(campaign, "ada", OPERATOR)
    assert len(accepted.deliveries) == 2
    assert set(Notification.objects.values_list("version__template__key", flat=True)) == {"spring", "spring-b"}
    campaign = fresh(campaign)
    assert campaign.tested_at is not None
    armed(campaign)
    assert fresh(campaign).tested_version_id == fresh(campaign).version_id


def test_a_variant_that_was_published_after_the_test_send_was_not_tested(site: Site, broker: Broker) -> None:
    Tenant.objects.update(require_test_copy=True)
    campaign = fresh(with_variants(site, test_percent=100))
    test_send.send(campaign, "ada", OPERATOR)
    templates.publish(Template.objects.get(key="spring-b"), CONTENT)
    armed(campaign)
    with pytest.raises(Conflict) as refused:
        launch.go(campaign.tenant_id, campaign.pk)
    assert refused.value.code == "test_copy_missing"
    test_send.send(campaign, "ada", OPERATOR)
    assert launch.go(campaign.tenant_id, campaign.pk)


def test_preflight_says_who_waits_and_what_the_rule_cannot_show(site: Site) -> None:
    crowd(site, 100)
    campaign = armed(with_variants(site, choice="rule"))
    told = " ".join(preflight(fresh(campaign)).warnings)
    waiting = sum(part == REST for part in parts(campaign).values())
    assert f"{waiting:,} people wait for the winner" in told and "minimum of 1,000 people" in told


def test_an_explanation_names_the_part_of_the_recipient(site: Site, broker: Broker) -> None:
    crowd(site, 100)
    campaign = armed(with_variants(site, holdout_percent=10))
    launch.go(campaign.tenant_id, campaign.pk)
    one_of = {part: pk for pk, part in parts(campaign).items()}

    def told(part: str) -> list[str]:
        recipient = Recipient.objects.get(pk=one_of[part])
        lines = explain_recipient(fresh(campaign), recipient, datetime.now(UTC)).audience
        return [line.said for line in lines if line.rule in ("ab_test", "armed")]

    assert told(HOLDOUT)[0] == "left out: held out of the test"
    assert told("B")[0] == "variant B"
    assert told(REST) == ["the rest, which waits for the winner"]
    choose_winner(campaign.tenant_id, campaign.pk, variant="B")
    assert told(REST)[0] == "the rest, which got the winner: variant B"
    assert render_email(campaign.tenant_id, campaign.pk, one_of["B"]) is None  # it has no email


def test_the_approval_covers_the_variants_and_not_the_winner(site: Site, broker: Broker) -> None:
    crowd(site, 40)
    campaign = fresh(with_variants(site))
    first = content_hash(campaign)
    put_variants(campaign, {"variants": [{}, {"template": "spring-b", "weight": 2}], "test_percent": 40})
    assert content_hash(fresh(campaign)) != first
    put_variants(campaign, {"variants": [{}, {"template": "spring-b"}], "test_percent": 40})
    assert content_hash(fresh(campaign)) == first
    campaign = armed(fresh(campaign))
    assert content_hash(fresh(campaign)) == first
    launch.go(campaign.tenant_id, campaign.pk)
    choose_winner(campaign.tenant_id, campaign.pk, variant="B")
    assert content_hash(fresh(campaign)) == first
