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


def say(campaign: Campaign, *words: str) -> str:
    told = StringIO()
    call_command("campaign", str(campaign.pk), *words, stdout=told)
    return told.getvalue()


def test_an_operator_holds_pauses_resumes_and_stops(site: Site, broker: Broker) -> None:
    campaign = an_armed(site, canaries=1, hold_seconds=30)
    assert "state     armed" in say(campaign, "status")
    assert "leaves at " in say(campaign, "go", "--rollout", "canary")
    assert "taken back." in say(campaign, "take_back")
    Campaign.objects.update(hold_seconds=0)
    told = say(campaign, "go", "--rollout", "canary", "--as", "ana")
    assert "launched." in told and "rollout   canary" in told and "sent      0 of 30" in told
    assert AuditLog.objects.filter(action="campaign.go").latest("id").user == site.people.ana
    assert "Nothing to do: it was launched already." in say(campaign, "go")
    assert "state     paused" in say(campaign, "pause")
    Campaign.objects.update(halted="why it did")
    assert "halted    why it did" in say(campaign, "status")
    assert "state     running" in say(campaign, "resume")
    assert "stopped." in say(campaign, "stop")
    with pytest.raises(CommandError, match="cannot be paused"):
        say(campaign, "pause")


def test_an_unknown_campaign_or_user_is_named(site: Site) -> None:
    with pytest.raises(CommandError, match="no such campaign"):
        call_command("campaign", str(uuid.uuid4()), "status")
    with pytest.raises(CommandError, match="no user"):
        say(an_armed(site), "go", "--as", "nobody")
