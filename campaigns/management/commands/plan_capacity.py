"""`manage.py plan_capacity --recipients 4000000 --seconds 5`: what a campaign of that size and time needs.
`manage.py plan_capacity --per-day 2e9 --peak 100000`: what an installation of that load needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.preflight import capacity, site_capacity
from campaigns.preflight.site_capacity import SiteLoad
from notifier.errors import InvalidInput
from notifier.providers import provider_class

_OF_CAMPAIGN = ("recipients", "seconds", "round_trip_ms", "provider")
_OF_SITE = ("per_day", "peak", "channel_mix", "campaign_share", "bulk_share", "retention_days", "costs")


class Command(BaseCommand):
    help = "What a campaign (--recipients, --seconds) or an installation (--per-day, --peak) needs."

    def add_arguments(self, parser: CommandParser) -> None:
        campaign = parser.add_argument_group("a campaign")
        campaign.add_argument("--recipients", type=int, help="messages, one for each address")
        campaign.add_argument("--seconds", type=float, help="the time in which all messages are answered")
        campaign.add_argument("--round-trip-ms", type=float, help="from request to answer (75)")
        campaign.add_argument("--provider", help="whose limits count (fcm)")
        site = parser.add_argument_group("an installation")
        site.add_argument("--per-day", type=float, help="messages a day, such as 2e9")
        site.add_argument("--peak", type=float, help="messages in the fullest second")
        site.add_argument("--channel-mix", help="shares of campaigns, such as push=0.9,email=0.1")
        site.add_argument("--campaign-share", type=float, help="share of messages that leave by campaigns (0.95)")
        site.add_argument("--bulk-share", type=float, help="share of the others that come by bulk requests (0.8)")
        site.add_argument("--retention-days", type=int, help="days for which the ledger is kept (30)")
        site.add_argument("--costs", action="store_const", const=True, help="also print what a message costs each part")

    def handle(self, *args: Any, **options: Any) -> None:
        given = {name: options[name] for name in (*_OF_CAMPAIGN, *_OF_SITE) if options[name] is not None}
        is_site = "per_day" in given or "peak" in given
        _refuse_missing(given, ("per_day", "peak") if is_site else ("recipients", "seconds"))
        _refuse_others(given, _OF_CAMPAIGN if is_site else _OF_SITE)
        try:
            lines = _site(given) if is_site else _campaign(given)
        except InvalidInput as error:
            option = (error.field or "provider").replace("_", "-")
            raise CommandError(f"--{option}: {error.message}", returncode=2) from None
        for line in lines:
            self.stdout.write(line)


def _refuse_missing(given: Mapping[str, Any], needed: tuple[str, ...]) -> None:
    for name in needed:
        if name not in given:
            why = "--recipients and --seconds for a campaign, or --per-day and --peak for an installation"
            raise CommandError(f"--{name.replace('_', '-')} is missing: {why}.", returncode=2)


def _refuse_others(given: Mapping[str, Any], others: tuple[str, ...]) -> None:
    for name in others:
        if name in given:
            raise CommandError(f"--{name.replace('_', '-')} does not belong to this plan.", returncode=2)


def _campaign(given: Mapping[str, Any]) -> list[str]:
    goal = capacity.Goal(given["recipients"], given["seconds"], given.get("round_trip_ms", capacity.ROUND_TRIP_MS))
    provider = provider_class(given.get("provider", "fcm"))
    if provider.builtin:
        raise InvalidInput(f"{provider.name} is built in: it sends no requests.", field="provider")
    plan = capacity.plan(goal)
    quota = capacity.Quota(provider.limit_of, provider.rate_per_s, provider.raise_quota(plan.rate_per_s))
    return [*capacity.describe(plan), capacity.describe_quota(plan, quota)]


def _site(given: Mapping[str, Any]) -> list[str]:
    mix = _mix(given["channel_mix"]) if "channel_mix" in given else site_capacity.USUAL_MIX
    others = {name: given[name] for name in ("campaign_share", "bulk_share", "retention_days") if name in given}
    plan = site_capacity.plan_site(SiteLoad(given["per_day"], given["peak"], mix, **others))
    costs = ["", *site_capacity.describe_costs()] if "costs" in given else []
    return [*site_capacity.describe_site(plan), *costs]


def _mix(text: str) -> dict[str, float]:
    """The shares by channel. Raises InvalidInput."""
    shares: dict[str, float] = {}
    for entry in text.split(","):
        channel, _, share = entry.strip().partition("=")
        try:
            value = float(share)
        except ValueError:
            raise InvalidInput(f"{entry!r} is no channel=share.", field="channel-mix") from None
        if channel in shares:
            raise InvalidInput(f"{channel!r} stands twice.", field="channel-mix")
        shares[channel] = value
    return shares
