"""`manage.py plan_capacity --recipients 4000000 --seconds 5`: what a campaign of that size and time needs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.preflight import capacity
from notifier.errors import InvalidInput
from notifier.providers import provider_class


class Command(BaseCommand):
    help = "What a campaign needs: workers, cores, connections, broker and database load, and the provider's quota."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--recipients", type=int, required=True, help="messages, one for each address")
        parser.add_argument("--seconds", type=float, required=True, help="the time in which all messages are answered")
        parser.add_argument(
            "--round-trip-ms",
            type=float,
            default=capacity.ROUND_TRIP_MS,
            help="from request to answer",
        )
        parser.add_argument("--provider", default="fcm", help="whose limits count (default: fcm)")

    def handle(self, *args: Any, **options: Any) -> None:
        goal = capacity.Goal(options["recipients"], options["seconds"], options["round_trip_ms"])
        try:
            provider = provider_class(options["provider"])
            if provider.builtin:
                raise InvalidInput(f"{provider.name} is built in: it sends no requests.", field="provider")
            plan = capacity.plan(goal)
        except InvalidInput as error:
            option = (error.field or "provider").replace("_", "-")
            raise CommandError(f"--{option}: {error.message}", returncode=2) from None
        quota = capacity.Quota(provider.limit_of, provider.rate_per_s, provider.raise_quota(plan.rate_per_s))
        for line in [*capacity.describe(plan), capacity.describe_quota(plan, quota)]:
            self.stdout.write(line)
