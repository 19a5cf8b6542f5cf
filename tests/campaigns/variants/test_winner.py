"""The winner: chosen once, by a person or by the rule, at the time that was fixed before."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from campaigns.arming.planning.assignment import REST
from campaigns.lifecycle.fan_out import finish
from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import pausing, retrying, stopping
from campaigns.lifecycle.running.winner import choose_winner
from campaigns.models import AudienceRange, Campaign, Experiment
from campaigns.report import accounting
from campaigns.report.explain import explain_recipient
from campaigns.sweep import sweep
from campaigns.variants import rule
from campaigns.variants.results import results
from notifier.delivery.ledger import settle
from notifier.delivery.ledger.campaigns.campaign_variants import PartCounts
from notifier.errors import Conflict, InvalidInput, NotFound
from notifier.models import Delivery, QuotaUse
from notifier.vocabulary.status import ConsentSource, Reason, Status
from tenants.access import scope
from tenants.models import AuditLog, Recipient, User
from tenants.people.opt_out import opt_out
from tests.broker import Broker, broker
from tests.campaigns.api.conftest import Api, AsWeb
from tests.campaigns.conftest import Browser, Site, armed, page, text
from tests.campaigns.variants.conftest import crowd, parts, send_all, with_variants
from tests.campaigns.workers import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]

HOUR = timedelta(hours=1)


def a_finished_test(site: Site, people: int = 200, **settings: Any) -> Campaign:
    """A campaign whose test has left and is in the ledger."""
    crowd(site, people)
    campaign = armed(with_variants(site, test_percent=80, **settings))
    launch.go(campaign.tenant_id, campaign.pk)
    send_all(campaign)
    count_test(campaign)
    return campaign


def count_test(campaign: Campaign) -> None:
    """Have the ledger copy the test's outcomes: of a campaign that runs, half a minute after a shard's end."""
    campaign.shards.update(ended_at=datetime.now(UTC) - timedelta(minutes=2))
    accounting.account(campaign.pk)
    assert not campaign.shards.filter(accounted=False).exists()


def mark_opened(campaign: Campaign, key: str, share: float) -> None:
    ids = sorted(pk for pk, part in parts(campaign).items() if part == key)
    opened = ids[: int(len(ids) * share)]
    Delivery.objects.filter(campaign_id=campaign.pk, recipient_id__in=opened).update(status=Status.OPENED)


def test_by_hand_it_is_chosen_once(site: Site, broker: Broker) -> None:
    campaign = a_finished_test(site, 40)
    answers = in_parallel(*[partial(_choose, campaign, key) for key in ("A", "B", "A", "B")])
    winner = Experiment.objects.get(campaign=campaign).winner
    assert sorted(answers, key=str) == sorted([True, False, "winner_chosen", "winner_chosen"], key=str)
    entries = AuditLog.objects.filter(action="campaign.choose_winner", object_id=str(campaign.pk))
    assert [entry.detail for entry in entries] == [{"variant": winner, "chosen": "hand"}]


def _choose(campaign: Campaign, key: str) -> bool | str:
    try:
        return choose_winner(campaign.tenant_id, campaign.pk, variant=key)
    except Conflict as conflict:
        return conflict.code


def test_what_cannot_be_chosen(site: Site, broker: Broker) -> None:
    crowd(site, 40)
    campaign = armed(with_variants(site))

    def choose(key: str = "A", tenant: uuid.UUID = campaign.tenant_id) -> bool:
        return choose_winner(tenant, campaign.pk, variant=key)

    with pytest.raises(Conflict, match="while the campaign runs; this one is armed"):
        choose()
    with pytest.raises(InvalidInput, match="A, B"):
        choose("C")
    with pytest.raises(NotFound):
        choose(tenant=site.people.globex.pk)
    plain = site.draft()
    with pytest.raises(Conflict, match="no variants"):
        choose_winner(plain.tenant_id, plain.pk, variant="A")
    launch.go(campaign.tenant_id, campaign.pk)
    stopping.stop(campaign.tenant_id, campaign.pk)
    with pytest.raises(Conflict, match="this one is cancelled"):
        choose()


def test_a_test_of_everybody_has_no_winner_and_ends(site: Site, broker: Broker) -> None:
    campaign = armed(with_variants(site, test_percent=100))
    launch.go(campaign.tenant_id, campaign.pk)
    with pytest.raises(Conflict, match="whole audience"):
        choose_winner(campaign.tenant_id, campaign.pk, variant="A")
    send_all(campaign)
    assert campaign.state == "finished"


def test_the_rule_chooses_once_at_its_time(site: Site, broker: Broker) -> None:
    campaign = a_finished_test(site, choice="rule", metric="opened", after_minutes=60, min_sample=50)
    mark_opened(campaign, "A", 0.1)
    mark_opened(campaign, "B", 0.6)
    sweep(datetime.now(UTC))
    assert Experiment.objects.get(campaign=campaign).winner == ""
    later = datetime.now(UTC) + HOUR
    broker.published.clear()
    in_parallel(*[lambda: rule.decide_due(later)] * 4)
    experiment = Experiment.objects.get(campaign=campaign)
    assert (experiment.winner, experiment.chosen, experiment.arming_rest) == ("B", "rule", True)
    assert broker.take("campaigns.arm") == [str(campaign.pk)]
    assert AuditLog.objects.filter(action="campaign.choose_winner").count() == 1
    report = results(Campaign.objects.get(pk=campaign.pk))
    assert report.sentences["opened"].startswith("B opens better than A: ")


@pytest.mark.parametrize(
    ("settings", "winner", "why"),
    [
        ({"min_sample": 1_000}, "", "Too few people"),
        ({"min_sample": 10}, "", "No variant is better"),
        ({"min_sample": 10, "otherwise": "default", "default": "B"}, "B", "No variant is better"),
    ],
    ids=["too small", "no difference", "default"],
)
def test_without_a_winner_the_rule_does_what_it_was_told(
    site: Site, broker: Broker, settings: dict[str, Any], winner: str, why: str
) -> None:
    campaign = a_finished_test(site, 60, choice="rule", after_minutes=60, **settings)
    mark_opened(campaign, "B", 0.1)
    for _ in range(2):
        rule.decide_due(datetime.now(UTC) + HOUR)
    experiment = Experiment.objects.get(campaign=campaign)
    assert experiment.winner == winner and experiment.undecided.startswith(why)
    # one look: figures that change later do not make the rule decide
    mark_opened(campaign, "B", 1.0)
    rule.decide_due(datetime.now(UTC) + 2 * HOUR)
    assert Experiment.objects.get(campaign=campaign).winner == winner
    assert AuditLog.objects.filter(action__in=["campaign.undecided", "campaign.choose_winner"]).count() == 1


def test_the_rule_waits_while_the_campaign_is_paused_or_its_test_still_leaves(site: Site, broker: Broker) -> None:
    campaign = a_finished_test(site, 40, choice="rule", after_minutes=60, min_sample=1, otherwise="default")
    pausing.pause(campaign.tenant_id, campaign.pk)
    rule.decide_due(datetime.now(UTC) + HOUR)
    assert Experiment.objects.get(campaign=campaign).looked_at is None
    pausing.resume(campaign.tenant_id, campaign.pk)
    shard = campaign.shards.order_by("number")[0]
    campaign.shards.filter(pk=shard.pk).update(accounted=False)
    rule.decide_due(datetime.now(UTC) + HOUR)
    assert Experiment.objects.get(campaign=campaign).looked_at is None


def test_a_rest_that_came_too_late_ends_the_campaign(site: Site, broker: Broker) -> None:
    campaign = a_finished_test(site, 40)
    Campaign.objects.filter(pk=campaign.pk).update(not_after=datetime.now(UTC) + HOUR)
    sweep(datetime.now(UTC))
    assert AudienceRange.objects.filter(campaign=campaign).exists()
    sweep(datetime.now(UTC) + HOUR)
    campaign.refresh_from_db()
    assert campaign.state == "finished"
    assert "not_after" in Experiment.objects.get(campaign=campaign).undecided


@pytest.mark.parametrize("end", ["stopped", "too late"])
def test_nobody_waits_any_more_when_the_campaign_ended_without_a_winner(
    site: Site, broker: Broker, browser: Callable[[User], Browser], as_web: AsWeb, end: str
) -> None:
    campaign = a_finished_test(site, 40, choice="rule", after_minutes=60)
    api, at = Api(site.people.acme_key, as_web), f"/v1/campaigns/{campaign.pk}"
    before = api("GET", f"{at}/variants/results")[1]
    assert before["waiting"] and before["looks_at"]
    if end == "stopped":
        assert api("POST", f"{at}/stop")[0] == 200
    else:
        # the sweep has not seen it yet
        Campaign.objects.filter(pk=campaign.pk).update(not_after=datetime.now(UTC) - timedelta(seconds=1))
        assert api("POST", f"{at}/choose_winner", {"variant": "A"})[1]["code"] == "too_late"
    after = api("GET", f"{at}/variants/results")[1]
    assert (after["waiting"], after["looks_at"], after["winner"]) == (0, None, "")
    assert api("GET", f"{at}/variants")[1]["waiting"] == 0
    ben = browser(site.people.ben)
    for name in ("variants", "change"):
        shown = text(ben.get(page(name, campaign)))
        assert "No winner was chosen before the campaign ended: the rest got nothing." in shown
        assert "wait for the winner" not in shown and "It looks on" not in shown and "The rest waits" not in shown
    one = next(pk for pk, part in parts(campaign).items() if part == REST)
    lines = explain_recipient(Campaign.objects.get(pk=campaign.pk), Recipient.objects.get(pk=one), datetime.now(UTC))
    assert "no winner was chosen before the campaign ended" in lines.audience[-1].said


def test_a_stop_before_the_winner_returns_the_quota_of_those_who_waited(site: Site, broker: Broker) -> None:
    site.acme.quotas = {"in_app": {"day": 1_000}}
    site.acme.save()
    campaign = a_finished_test(site, 40)
    waiting, begun = Experiment.objects.get(campaign=campaign).waiting, sum(s.begun for s in campaign.shards.all())
    assert waiting and begun and used(site) == waiting + begun
    stopping.stop(campaign.tenant_id, campaign.pk)
    stopping.cancel_rows(campaign.pk)
    accounting.account(campaign.pk)
    assert used(site) == begun


def test_a_retry_after_the_end_returns_the_quota_of_those_who_waited_once(site: Site, broker: Broker) -> None:
    site.acme.quotas = {"in_app": {"day": 1_000}}
    site.acme.save()
    campaign = a_finished_test(site, 40)
    Campaign.objects.filter(pk=campaign.pk).update(not_after=datetime.now(UTC) + HOUR)
    sweep(datetime.now(UTC) + HOUR)
    Campaign.objects.filter(pk=campaign.pk).update(not_after=None)
    assert accounting.close(campaign.pk)
    begun = sum(shard.begun for shard in campaign.shards.all())
    assert used(site) == begun
    message = Delivery.objects.filter(campaign_id=campaign.pk, status=Status.DELIVERED)[0]
    for _ in range(2):
        fail(message)
        assert retrying.retry(campaign.tenant_id, campaign.pk)
        Delivery.objects.filter(pk=message.pk).update(status=Status.DELIVERED, settled_at=datetime.now(UTC))
        assert finish.finish_if_done(campaign.pk) and accounting.close(campaign.pk)
        assert used(site) == begun


def fail(message: Delivery) -> None:
    """Its attempts are used up."""
    ended = {"status": Status.FAILED, "reason": Reason.EXHAUSTED, "content": {"title": "Hello"}}
    Delivery.objects.filter(pk=message.pk).update(**ended, fence=0, settled_at=datetime.now(UTC))
    settle.store_dead_letters([(message.tenant_id, message.pk, message.channel, 6, "no answer")])


def used(site: Site) -> int:
    return sum(QuotaUse.objects.filter(tenant=site.acme).values_list("used", flat=True))


def test_results_count_people_of_each_part_and_who_left(site: Site, broker: Broker) -> None:
    campaign = a_finished_test(site, 100, metric="unsubscribed", holdout_percent=10)
    assigned = parts(campaign)
    mark_opened(campaign, "A", 0.5)
    leaver = next(pk for pk, part in assigned.items() if part == "B")
    with scope(campaign.tenant_id, source=ConsentSource.PERSON):
        opt_out(campaign.tenant_id, leaver, "in_app", "news")
    report = results(Campaign.objects.get(pk=campaign.pk))
    sizes = {key: sum(part == key for part in assigned.values()) for key in "AB"}
    by_key = {each.key: each for each in report.variants}
    assert {key: each.counts.reached for key, each in by_key.items()} == sizes
    assert by_key["A"].counts.opened == sizes["A"] // 2
    assert (by_key["A"].counts.unsubscribed, by_key["B"].counts.unsubscribed) == (0, 1)
    assert report.waiting == sum(part == REST for part in assigned.values())
    assert (
        "Unsubscribed, A and B: no difference that this number of people could show" in report.sentences["unsubscribed"]
    )
    assert "look" in report.peeking


@pytest.mark.parametrize(
    ("a", "b", "metric", "winner"),
    [
        ((1_000, 200), (1_000, 300), "opened", "B"),
        ((1_000, 200), (1_000, 300), "unsubscribed", "A"),
        ((99, 0), (1_000, 900), "opened", ""),
        ((1_000, 0), (1_000, 0), "opened", ""),
    ],
)
def test_the_judgement_is_a_table(a: tuple[int, int], b: tuple[int, int], metric: str, winner: str) -> None:
    experiment = Experiment(pk=uuid.uuid4(), metric=metric, min_sample=100)
    counts = {key: PartCounts(0, n, n, did, did, did, 0) for key, (n, did) in {"A": a, "B": b}.items()}
    verdict = rule.judge(experiment, counts)
    assert verdict.winner == winner and bool(verdict.why) == (not winner)
