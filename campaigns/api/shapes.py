"""The shapes of requests and answers at `/v1/audiences` and `/v1/campaigns`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from campaigns.audience.topics import MAX_LENGTH as MAX_TOPIC
from campaigns.audience.topics import NO_OPT_OUT_HOLDS
from campaigns.edit import fields, uploads
from campaigns.models import Audience, Campaign, Passed, Rollout
from notifier.api.framework.fields import Boolean, ChannelNames, Integer, LocalTime, Number, Object, Text, Time
from tenants.models import Import

TAGS = ["campaigns"]
EXACT = "false: an estimate, because counting takes longer than 0.8 s."
TOPIC = "Such as: the topic news. Google does not tell how many devices a topic has; empty for other audiences."
WAVES = "Of a campaign at local time: when messages that have not begun become due, and how many."
UNREACHED = "People of the audience who get no message at all."
RENDER_PROBLEMS = "What could not be rendered, and what no account sends, found while arming; twenty causes at most."
EXCLUDED = (
    "Messages left out while arming, by reason; `unknown_recipient` counts ids of the list that are no recipients."
)


class AudienceInput(serializers.Serializer[Any]):
    """A segment with its filter, a list whose members are put afterwards, all recipients, or a topic of Firebase."""

    name = Text(max_length=fields.MAX_NAME)
    source = serializers.ChoiceField(  # type: ignore[assignment]
        Audience.Source.choices, help_text="everybody is all recipients; a segment without conditions is refused."
    )
    filter = serializers.JSONField(
        required=False,
        allow_null=True,
        help_text="For a segment: conditions that must all hold, "
        'such as [{"field": "attributes.plan", "op": "eq", "value": "pro"}]. An entry may be a group of conditions and '
        'further groups: of {"all": […]} every entry must hold, of {"any": […]} one, of {"none": […]} none.',
    )
    topic = Text(
        max_length=MAX_TOPIC,
        required=False,
        help_text="For a topic: its name, such as news, or a condition over five topics at most, such as 'news' in "
        "topics && ('de' in topics || 'at' in topics). Google passes the message on to the devices that it has "
        "subscribed: opt-outs, suppressions and quiet hours do not hold.",
    )
    locale = Text(
        max_length=16,
        required=False,
        help_text="For a topic: the language of the template that its devices get. Without it, the tenant's default.",
    )
    app = Text(max_length=100, required=False, help_text="For a topic: the app whose Firebase project has the topic.")


class FilterInput(serializers.Serializer[Any]):
    filter = serializers.JSONField(help_text="As that of a segment.")


class FilterCountOutput(serializers.Serializer[Any]):
    reaches = serializers.IntegerField(
        allow_null=True, help_text="Recipients that the filter finds now; null when not even an estimate came in time."
    )
    exact = serializers.BooleanField(help_text=EXACT)


class AudienceOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    filter = serializers.JSONField()
    topic = serializers.CharField(help_text="Empty for other sources, as are locale and app.")
    locale = serializers.CharField()
    app = serializers.CharField()
    size = serializers.IntegerField(help_text="Ids in a list; 0 for others.")
    created_at = serializers.DateTimeField()


class AudienceDetailOutput(AudienceOutput):
    reaches = serializers.IntegerField(
        allow_null=True, help_text="Recipients in the audience now; null for a topic, whose devices only Google knows."
    )
    exact = serializers.BooleanField(help_text=EXACT)
    loading = serializers.BooleanField(help_text="The list is still being read.")


class AudienceMembersInput(serializers.Serializer[Any]):
    external_ids = serializers.ListField(
        child=serializers.JSONField(),
        max_length=uploads.AT_ONCE,
        help_text="The new members of the list. Send a longer list as text/csv.",
    )


class RowProblemOutput(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    reason = serializers.CharField()


class AudienceMembersOutput(serializers.Serializer[Any]):
    state = serializers.ChoiceField(
        Import.State.values, help_text="done; waiting or running: look again; refused or failed: nothing was changed."
    )
    failure = serializers.CharField(help_text="Why it was refused or failed.")
    rows = serializers.IntegerField()
    stored = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = serializers.IntegerField()
    known = serializers.IntegerField(help_text="Of the stored ids, those that are recipients now.")
    unknown = serializers.IntegerField(help_text="Of the stored ids, those that are no recipient.")
    unknown_ids = serializers.ListField(child=serializers.CharField(), help_text="The first ten of them.")
    problems = RowProblemOutput(many=True, help_text="The first hundred.")


def show_members(job: Import) -> dict[str, Any]:
    """An upload as the API shows it."""
    counts = {"stored": 0, "duplicates": 0, "known": 0, "unknown": 0, "unknown_ids": [], **job.list_report}
    problems = [{"line": line, "reason": reason} for line, reason in job.problems]
    columns = {"state": job.state, "failure": job.failure, "rows": job.rows, "rejected": job.rejected}
    return dict(AudienceMembersOutput().to_representation({**columns, **counts, "problems": problems}))


class CampaignChangeInput(serializers.Serializer[Any]):
    """A field that is left out stays as it is."""

    name = Text(max_length=fields.MAX_NAME, required=False)
    template = Text(max_length=64, required=False, help_text="The key of a template with a published version.")
    audience = Text(max_length=36, required=False, allow_null=True, help_text="The id of an audience.")
    channels = ChannelNames(required=False)
    data = Object(fields.MAX_DATA_BYTES, required=False, help_text="Variables of the template.")  # type: ignore[assignment]
    not_after = Time(required=False, allow_null=True, help_text="Nothing leaves after this.")
    launch_at = Time(
        required=False,
        allow_null=True,
        help_text="The armed campaign launches itself at this time. null: a caller gives GO.",
    )
    launch_rollout = serializers.ChoiceField(
        Rollout.choices, required=False, help_text="What leaves at the planned launch."
    )
    local_time = LocalTime(
        instead="launch_at",
        required=False,
        allow_null=True,
        help_text="After GO each recipient gets the message when a clock of the recipient's own zone shows this date "
        "and time, such as 2030-01-31T09:00. null: everybody at once.",
    )
    passed = serializers.ChoiceField(
        Passed.choices, required=False, help_text="Recipients whose local time is over when the campaign begins."
    )
    hold_seconds = Integer(
        min_value=0,
        max_value=fields.MAX_HOLD,
        required=False,
        help_text="Seconds after GO in which it can be taken back.",
    )
    rate_per_s = Number(
        min_value=0.01, max_value=1_000_000, required=False, allow_null=True, help_text="Messages a second at most."
    )
    canary_percent = Integer(
        min_value=0, max_value=50, required=False, help_text="Share of the messages that can leave first."
    )
    max_error_percent = Integer(
        min_value=1,
        max_value=100,
        required=False,
        help_text="The campaign pauses itself when more of its messages fail.",
    )
    max_dead_percent = Integer(
        min_value=1,
        max_value=100,
        required=False,
        help_text="The campaign pauses itself when more of its addresses are dead.",
    )


class CampaignInput(CampaignChangeInput):
    name = Text(max_length=fields.MAX_NAME)
    template = Text(max_length=64, help_text="The key of a template with a published version.")


class RenderProblemOutput(serializers.Serializer[Any]):
    """One cause why messages cannot be sent."""

    channel = serializers.CharField()
    reason = serializers.CharField(help_text="missing_variable or template_error")
    detail = serializers.CharField(help_text="The part, the variable and what is wrong.")
    count = serializers.IntegerField(help_text="Messages.")
    recipients = serializers.ListField(
        child=serializers.CharField(), help_text="External ids of some recipients, ten at most."
    )


class CampaignOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    state = serializers.ChoiceField(Campaign.State.choices)
    mode = serializers.CharField()
    template = serializers.CharField(source="template.key")
    audience = serializers.UUIDField(source="audience_id", allow_null=True)
    channels = serializers.ListField(child=serializers.CharField())
    data = serializers.JSONField()  # type: ignore[assignment]
    not_after = serializers.DateTimeField(allow_null=True)
    launch_at = serializers.DateTimeField(allow_null=True, help_text="When the armed campaign launches itself.")
    launch_rollout = serializers.ChoiceField(Rollout.choices, help_text="What leaves at the planned launch.")
    launch_failure = serializers.CharField(help_text="Why the planned launch did not happen. The plan is over then.")
    local_time = LocalTime(allow_null=True, help_text="A time of each recipient's own clock, without a zone.")
    passed = serializers.ChoiceField(Passed.choices)
    next_wave_at = serializers.DateTimeField(
        allow_null=True, help_text="When the next recipients' local time comes, of a launched campaign."
    )
    audience_size = serializers.IntegerField(help_text="People in the audience at the last arming; 0 of a topic.")
    processed = serializers.IntegerField(help_text="People whom arming has processed so far.")
    unreached = serializers.IntegerField(help_text=UNREACHED)
    excluded = serializers.DictField(child=serializers.IntegerField(), help_text=EXCLUDED)
    problems = RenderProblemOutput(many=True, help_text=RENDER_PROBLEMS)
    failure = serializers.CharField(help_text="Why the last arming failed.")
    hold_seconds = serializers.IntegerField()
    rate_per_s = serializers.FloatField(allow_null=True)
    canary_percent = serializers.IntegerField()
    max_error_percent = serializers.IntegerField()
    max_dead_percent = serializers.IntegerField()
    rollout = serializers.ChoiceField(Rollout.choices, help_text="What the last GO let leave.")
    halted = serializers.CharField(
        help_text="Why the campaign, or one of its channels, paused itself; empty when an actor paused it."
    )
    halted_channels = serializers.DictField(
        child=serializers.CharField(), help_text="Channels that paused themselves, and why. The other channels go on."
    )
    silent = serializers.BooleanField(help_text="A silent run: no message is delivered.")
    rehearsal_of = serializers.UUIDField(
        source="rehearsal_of_id", allow_null=True, help_text="The campaign whose silent run this is."
    )
    tested_at = serializers.DateTimeField(allow_null=True, help_text="The last test send since the last edit.")
    created_at = serializers.DateTimeField()
    armed_at = serializers.DateTimeField(allow_null=True)
    hold_until = serializers.DateTimeField(allow_null=True, help_text="Until then GO can be taken back.")
    launched_at = serializers.DateTimeField(allow_null=True, help_text="When the first messages were let go.")
    canary_passed_at = serializers.DateTimeField(allow_null=True, help_text="When the rest was let go.")
    stopped_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    accounted_at = serializers.DateTimeField(allow_null=True)


class CampaignGoInput(serializers.Serializer[Any]):
    """What leaves: everything; the canary and then the rest; or the canary alone, until the campaign is resumed."""

    rollout = serializers.ChoiceField(Rollout.choices, required=False, default=Rollout.ALL)
    ignore_opt_outs = Boolean(
        required=False,
        default=False,
        help_text=f"Must be true for a topic, and for no other audience. {NO_OPT_OUT_HOLDS}",
    )


class CampaignPlanInput(CampaignGoInput):
    """When the armed campaign launches itself, and what leaves then."""

    launch_at = Time(help_text="At most 366 days ahead.")


class CampaignAccountOutput(serializers.Serializer[Any]):
    channel = serializers.CharField()
    platform = serializers.CharField(help_text="Of the devices that the account sends to; may be empty.")
    account = serializers.CharField()
    provider = serializers.CharField()
    messages = serializers.IntegerField()
    sent = serializers.IntegerField()
    failed = serializers.IntegerField()
    dead = serializers.IntegerField(help_text="Of the failed: the address does not exist any more.")
    retried = serializers.IntegerField(help_text="Left to a later attempt; `channels` says how those ended.")


class CampaignWaveOutput(serializers.Serializer[Any]):
    """Recipients whose local time comes at one moment."""

    at = serializers.DateTimeField()
    messages = serializers.IntegerField()


class CampaignResultsOutput(serializers.Serializer[Any]):
    """Counts and times from the ledger."""

    state = serializers.CharField()
    audience = serializers.IntegerField()
    topic = serializers.CharField(help_text=TOPIC)
    unreached = serializers.IntegerField(help_text=UNREACHED)
    excluded = serializers.DictField(child=serializers.IntegerField(), help_text=EXCLUDED)
    suppressed = serializers.DictField(
        child=serializers.IntegerField(), help_text="Messages that were not sent: an opt-out, a suppression."
    )
    sent = serializers.IntegerField()
    not_sent = serializers.IntegerField()
    in_doubt = serializers.IntegerField()
    waiting = serializers.IntegerField()
    reported = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Of the messages sent: delivered, opened, clicked, bounced, complained.",
    )
    counted = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Opens and clicks of a tenant that counts them without persons: opened, clicked, machine_opened, "
        "machine_clicked.",
    )
    waves = CampaignWaveOutput(many=True, help_text=WAVES)
    seconds = serializers.FloatField(allow_null=True)
    rate_per_s = serializers.FloatField(allow_null=True, help_text="null of a campaign at local time.")
    p50_ms = serializers.IntegerField(
        allow_null=True, help_text="From GO, or from the recipients' local time, to the provider's answer."
    )
    p95_ms = serializers.IntegerField(allow_null=True)
    p99_ms = serializers.IntegerField(allow_null=True)
    last_ms = serializers.IntegerField(allow_null=True)
    channels = serializers.DictField(help_text="The same figures for each channel, with counts by status and reason.")
    throughput = serializers.ListField(child=serializers.DictField())
    accounts = CampaignAccountOutput(many=True, help_text="What the shards of each account ended with.")
    workers = serializers.ListField(child=serializers.DictField())
    shards = serializers.DictField(child=serializers.IntegerField())


def show_audiences(rows: Sequence[Audience]) -> list[Any]:
    return [dict(AudienceOutput(row).data) for row in rows]


def show_campaigns(rows: Sequence[Campaign]) -> list[Any]:
    return [show_campaign(row) for row in rows]


def show_campaign(row: Campaign) -> dict[str, Any]:
    # not `.data`, which type checkers take for the field of that name
    return dict(CampaignOutput().to_representation(row))
