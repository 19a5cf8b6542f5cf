"""manage.py arm_campaign <id>"""

from __future__ import annotations

import time
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns import arming
from campaigns.arming.planning.render_problems import problem_sentences
from campaigns.models import Campaign
from campaigns.states import State
from notifier.errors import NotifierError

#: seconds between two queries, and, without a terminal, between two lines
QUERY_EVERY, LINE_EVERY = 0.2, 5.0
WIDTH = 30


class Command(BaseCommand):
    help = "Arm a campaign, and show the progress. Workers do the arming; ending this command does not stop them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=uuid.UUID)

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = Campaign.objects.select_related("template", "audience").filter(pk=options["id"]).first()
        if campaign is None:
            raise CommandError("There is no such campaign.")
        try:
            arming.request_arm(campaign)
        except NotifierError as error:
            raise CommandError(error.message) from error
        campaign.refresh_from_db()
        self._watch(campaign, campaign.revision)
        if campaign.state != State.ARMED or not campaign.armed_at:
            raise CommandError(campaign.failure or f"The campaign was edited meanwhile and is {campaign.state}.")
        for problem, sentence in zip(campaign.problems, problem_sentences(campaign.problems), strict=True):
            self.stdout.write(f"not sent: {sentence} For {', '.join(problem['recipients'])}.")

    def _watch(self, campaign: Campaign, revision: int) -> None:
        began, shown_at = time.monotonic(), 0.0
        is_terminal = self.stdout.isatty()
        while campaign.state == State.ARMING and campaign.revision == revision:
            time.sleep(QUERY_EVERY)
            campaign.refresh_from_db()
            now = time.monotonic()
            if is_terminal or now - shown_at >= LINE_EVERY:
                shown_at = now
                self.stdout.write(bar(campaign, now - began), ending="\r" if is_terminal else "\n")
        self.stdout.write(bar(campaign, time.monotonic() - began))
        if campaign.revision != revision:
            raise CommandError("The campaign was edited meanwhile; arm it again.")


def bar(campaign: Campaign, seconds: float) -> str:
    """The progress of arming, in one line."""
    if campaign.state == State.ARMING and campaign.armed_at is None:
        return "waiting for a worker of the queue batch".ljust(100)
    part = campaign.processed / campaign.audience_size if campaign.audience_size else 0.0
    full = int(min(part, 1) * WIDTH)
    line = (
        f"[{'#' * full}{'.' * (WIDTH - full)}] {part:4.0%}  {campaign.processed:,} of {campaign.audience_size:,}"
        f"  {campaign.processed / seconds:,.0f}/s  {campaign.unreached:,} get nothing"
    )
    return line.ljust(100)
