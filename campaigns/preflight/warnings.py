"""Warnings for the person who is about to press GO: what is unusual about this campaign, at this hour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from django.conf import settings
from django.utils.timezone import localtime

from campaigns.arming.planning.render_problems import UNRENDERED, count_unrendered, excluded_messages, problem_sentences
from campaigns.audience import topic_of
from campaigns.audience.topics import NO_OPT_OUT_HOLDS, ONLY_FIREBASE
from campaigns.lifecycle.fan_out.waves import LATE, Wave
from campaigns.lifecycle.launching import planned
from campaigns.lifecycle.launching.checks import rfc_3339
from campaigns.models import Campaign, Choice, Experiment, Metric, Passed
from campaigns.preflight.spot_check import UNSEEN_AFTER, SpotCheck
from notifier.channels.queues import queue_of
from notifier.delivery.quotas.counting import Use
from notifier.vocabulary.content import Tracking
from notifier.vocabulary.status import Lane, Mode, Reason

#: an arming older than this is worth a warning: recipients who joined since then get nothing
STALE = timedelta(hours=24)
#: a larger share of people without a message usually means a wrong audience or a missing address column
MANY_UNREACHED = 0.5
#: a larger share of devices that were not seen for long: most of their messages reach no phone, and count as errors
MANY_UNSEEN = 0.2
NO_SPOT_CHECK = SpotCheck()


class Account(Protocol):
    """One account's messages."""

    @property
    def channel(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def messages(self) -> int: ...
    @property
    def enabled(self) -> bool: ...


@dataclass(frozen=True)
class Findings:
    """What preflight knows about the campaign."""

    ready: Sequence[Account]
    #: how long the campaign will take
    seconds: float = 0.0
    #: channel -> workers that listen; None while the broker is away
    workers: Mapping[str, int] | None = None
    spot: SpotCheck = NO_SPOT_CHECK
    #: of a campaign at local time: when messages become due, the earliest first
    waves: Sequence[Wave] = ()
    #: the A/B test
    experiment: Experiment | None = None
    #: variant -> people reached, as armed
    variant_sizes: Mapping[str, int] = field(default_factory=dict)
    #: without room for this campaign
    full_quotas: Sequence[Use] = ()


def warnings(campaign: Campaign, findings: Findings, now: datetime) -> list[str]:
    """All warnings, the worst first."""
    return [
        *_about_people(campaign, findings),
        *_about_test(campaign, findings),
        *map(_about_quota, findings.full_quotas),
        *_about_leaving(campaign, findings, now),
        *_about_age(campaign, now),
        *_about_spot_check(findings.spot),
    ]


def _about_people(campaign: Campaign, findings: Findings) -> Iterator[str]:
    """Whether the campaign reaches the right people, and was tested."""
    if campaign.mode == Mode.TEST:
        yield "This is a test campaign: everything goes to the sandbox and nobody is reached."
    elif campaign.tenant.sandbox:
        yield f"{campaign.tenant} has not gone live: everything goes to the sandbox and nobody is reached."
    if topic := topic_of(campaign):
        yield f"This goes to {topic}. {NO_OPT_OUT_HOLDS} {ONLY_FIREBASE}"
    people, unreached = campaign.audience_size, campaign.unreached
    if unreached and unreached >= MANY_UNREACHED * people:
        yield f"{unreached:,} of {people:,} people get nothing. Is this the right audience?"
    messages = sum(r.messages for r in findings.ready) + sum(excluded_messages(campaign.excluded).values())
    failed = count_unrendered(campaign.excluded)
    if failed and 100 * failed >= settings.UNRENDERED_WARN_PERCENT * messages:
        unrendered = [problem for problem in campaign.problems if problem["reason"] in UNRENDERED]
        yield f"{failed:,} of {messages:,} messages could not be rendered. {problem_sentences(unrendered)[0]}"
    if campaign.tested_at is None:
        yield "The campaign was not tested since its last change: send it to yourself first."
    elif campaign.tested_version_id != campaign.version_id:
        yield "The template was published anew between the last test send and the arming: send it to yourself again."


def _about_test(campaign: Campaign, findings: Findings) -> Iterator[str]:
    """What the figures of an A/B test leave out, and whether its rule can find a winner."""
    experiment = findings.experiment
    if experiment is None:
        return
    if experiment.waiting:
        yield (
            f"{experiment.waiting:,} people wait for the winner of the A/B test: messages, costs and times here are of "
            "the test alone."
        )
    by_rule = experiment.choice == Choice.RULE and experiment.has_rest
    if by_rule and any(size < experiment.min_sample for size in findings.variant_sizes.values()):
        yield (
            f"A variant has fewer messages than the rule's minimum of {experiment.min_sample:,} people, so that the "
            "rule will find no winner. Make the test's share larger, or the minimum smaller."
        )
    untold = set(campaign.channels) == {"email"} and campaign.tenant.tracking != Tracking.ON
    if by_rule and experiment.metric != Metric.UNSUBSCRIBED and untold:
        yield (
            f"The rule compares what was {experiment.metric}, and this tenant does not record that for emails by "
            "person. Let a person choose, or compare unsubscribed."
        )


def _about_leaving(campaign: Campaign, findings: Findings, now: datetime) -> Iterator[str]:
    """Whether every message can leave."""
    if why := planned.reason_to_refuse(campaign):
        yield f"The planned launch will not happen: {why}"
    yield from problem_sentences([p for p in campaign.problems if p["reason"] == Reason.NO_ACCOUNT])
    for account in findings.ready:
        if not account.enabled:
            yield f"The account {account.account} is switched off; its {account.channel} messages will wait."
    for channel, number in sorted((findings.workers or {}).items()):
        if not number:
            yield f"No worker listens on {queue_of(channel, Lane.BULK)}: nothing leaves until one is started."
    if campaign.launch_at is not None:
        now = max(now, campaign.launch_at)
    if campaign.over_cap:
        yield (
            f"{campaign.over_cap:,} messages were over a frequency cap when the campaign was armed. Each is looked at"
            " again before it leaves."
        )
    yield from _about_waves(campaign, findings.waves, now)
    if findings.waves:
        now = max(now, findings.waves[-1].at)
    if campaign.not_after is not None and now + timedelta(seconds=findings.seconds) > campaign.not_after:
        yield "“Not after” is earlier than the end of the campaign; messages that have not left by then will expire."


def _about_quota(use: Use) -> str:
    """Of a quota without room for the campaign."""
    quota = use.quota
    return (
        f"GO will be refused: the quota of {quota.most:,} {quota.channel} messages a {quota.period.value} has "
        f"{use.left:,} left. It renews at {rfc_3339(use.renews_at)}."
    )


def _about_waves(campaign: Campaign, waves: Sequence[Wave], begins: datetime) -> Iterator[str]:
    """Whether the local time of some recipients is over before the campaign begins."""
    leaves_out = campaign.passed == Passed.LEAVE_OUT
    over = sum(wave.messages for wave in waves if wave.at < begins - (LATE if leaves_out else timedelta()))
    if over:
        becomes = "are left out" if leaves_out else "leave at once"
        yield f"The local time of {over:,} messages is over: they {becomes}. Arm the campaign again to change that."


def _about_age(campaign: Campaign, now: datetime) -> Iterator[str]:
    if campaign.armed_at is not None and now - campaign.armed_at > STALE:
        yield f"Armed on {localtime(campaign.armed_at):%d %B at %H:%M %Z}. Recipients who joined since get nothing."


def _about_spot_check(spot: SpotCheck) -> Iterator[str]:
    if spot.quiet:
        share = _share(spot.quiet, spot.checked, spot.exact)
        yield f"{share} messages would wait now: for the end of quiet hours or of a snooze, or for a send window."
    if spot.devices and spot.unseen >= MANY_UNSEEN * spot.devices:
        share = _share(spot.unseen, spot.devices, spot.exact)
        yield f"{share} devices were not seen for {UNSEEN_AFTER.days} days; many of them may not exist any more."


def _share(part: int, whole: int, exact: bool) -> str:
    return f"{part:,} of the {whole:,}" if exact else f"About {100 * part / whole:.0f} % of the"
