"""`manage.py campaign`: the operator's hand on a campaign."""

from __future__ import annotations

import uuid
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from campaigns.models import Campaign
from tenants.models import AuditLog
from tests.campaigns.conftest import Site
from tests.campaigns.launched import Broker, an_armed, broker

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]


def run_command(campaign: Campaign, *words: str) -> str:
    output = StringIO()
    call_command("campaign", str(campaign.pk), *words, stdout=output)
    return output.getvalue()


def test_an_operator_holds_pauses_resumes_and_stops(site: Site, broker: Broker) -> None:
    campaign = an_armed(site, canaries=1, hold_seconds=30)
    assert "state     armed" in run_command(campaign, "status")
    assert "leaves at " in run_command(campaign, "go", "--rollout", "canary")
    assert "taken back." in run_command(campaign, "take_back")
    Campaign.objects.update(hold_seconds=0)
    output = run_command(campaign, "go", "--rollout", "canary", "--as", "ana")
    assert "launched." in output and "rollout   canary" in output and "sent      0 of 30" in output
    assert AuditLog.objects.filter(action="campaign.go").latest("id").user == site.people.ana
    assert "Nothing to do: it was launched already." in run_command(campaign, "go")
    assert "state     paused" in run_command(campaign, "pause")
    Campaign.objects.update(halted="why it did")
    assert "halted    why it did" in run_command(campaign, "status")
    assert "state     running" in run_command(campaign, "resume")
    assert "stopped." in run_command(campaign, "stop")
    with pytest.raises(CommandError, match="cannot be paused"):
        run_command(campaign, "pause")


def test_an_unknown_campaign_or_user_is_named(site: Site) -> None:
    with pytest.raises(CommandError, match="no such campaign"):
        call_command("campaign", str(uuid.uuid4()), "status")
    with pytest.raises(CommandError, match="no user"):
        run_command(an_armed(site), "go", "--as", "nobody")
