"""The shapes of requests and answers at `/v1/campaigns/<id>/variants`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from campaigns.arming.planning.variants import rest_waits
from campaigns.edit import variants
from campaigns.models import Campaign, CampaignVariant, Choice, Experiment, Metric, Otherwise
from notifier.api.framework.fields import Integer, Text

_SAMPLE = "People whom each variant must have reached before the rule finds a winner."


class WinnerInput(serializers.Serializer[Any]):
    variant = Text(max_length=1, help_text="The key of the variant that the rest of the audience gets.")


class VariantInput(serializers.Serializer[Any]):
    template = Text(
        max_length=64, required=False, help_text="The key of a template of the same category; else the campaign's."
    )
    version = Integer(required=False, allow_null=True, help_text="A version of it; else the newest when it is armed.")
    weight = Integer(required=False, help_text=f"1 to {variants.MAX_WEIGHT:,}; 1 by default.")


class VariantsInput(serializers.Serializer[Any]):
    """The variants get the keys A to H in their order. Fields that are left out get their defaults."""

    variants = VariantInput(many=True)
    test_percent = Integer(required=False, help_text="The share of the audience that tests; 20 by default.")
    holdout_percent = Integer(required=False, help_text="The share that gets nothing, up to 50; 0 by default.")
    choice = serializers.ChoiceField(Choice.choices, required=False)
    metric = serializers.ChoiceField(Metric.choices, required=False, help_text="What the rule compares.")
    after_minutes = Integer(
        required=False, help_text="The rule looks so long after the last message of the test; 240 by default."
    )
    min_sample = Integer(required=False, help_text=f"{_SAMPLE} 1,000 by default.")
    otherwise = serializers.ChoiceField(
        Otherwise.choices, required=False, help_text="What the rule does when it finds no winner."
    )
    default = Text(max_length=1, required=False, help_text="The key of the default variant; A by default.")


class VariantOutput(serializers.Serializer[Any]):
    variant = serializers.CharField(help_text="Its key, A to H.")
    template = serializers.CharField()
    version = serializers.IntegerField(allow_null=True, help_text="null: the newest, until the campaign is armed.")
    weight = serializers.IntegerField()


class VariantsOutput(serializers.Serializer[Any]):
    variants = VariantOutput(many=True)
    test_percent = serializers.IntegerField()
    holdout_percent = serializers.IntegerField()
    choice = serializers.CharField()
    metric = serializers.CharField()
    after_minutes = serializers.IntegerField()
    min_sample = serializers.IntegerField(help_text=_SAMPLE)
    otherwise = serializers.CharField()
    default = serializers.CharField(source="default_key")
    waiting = serializers.IntegerField(
        help_text="People who wait for the winner, counted when the campaign was armed; 0 when nobody waits any more."
    )
    held_out = serializers.IntegerField(help_text="People who get nothing, counted when the campaign was armed.")
    winner = serializers.CharField(help_text="Empty until it is chosen.")


class RateOutput(serializers.Serializer[Any]):
    """A share of the people reached, with Wilson's 95 % interval."""

    rate = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class PartOutput(serializers.Serializer[Any]):
    """People, each counted once, on whichever channels."""

    reached = serializers.IntegerField(help_text="By a message that a provider took.")
    delivered = serializers.IntegerField()
    opened = serializers.IntegerField()
    clicked = serializers.IntegerField()
    unsubscribed = serializers.IntegerField(help_text="Opted out of the category or a channel since the launch.")
    complained = serializers.IntegerField()


class VariantResultOutput(PartOutput):
    variant = serializers.CharField()
    template = serializers.CharField()
    version = serializers.IntegerField(allow_null=True)
    rates = serializers.DictField(child=RateOutput(), help_text="By metric: opened, clicked, unsubscribed.")


class DifferenceOutput(serializers.Serializer[Any]):
    """The higher rate minus the lower one, with Newcombe's interval. The intervals of all pairs together hold with 95 %
    (Bonferroni)."""

    higher = serializers.CharField()
    lower = serializers.CharField()
    difference = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    shown = serializers.BooleanField(help_text="The interval does not contain 0.")


class VariantResultsOutput(serializers.Serializer[Any]):
    winner = serializers.CharField(help_text="Empty until it is chosen.")
    chosen = serializers.CharField(help_text="hand, rule or default (the rule found no winner); empty before.")
    decided_at = serializers.DateTimeField(allow_null=True)
    looks_at = serializers.DateTimeField(allow_null=True, help_text="When the rule looks; null while the test leaves.")
    looked_at = serializers.DateTimeField(allow_null=True)
    undecided = serializers.CharField(help_text="Why the rule found no winner.")
    waiting = serializers.IntegerField(
        help_text="People who wait for the winner; 0 also where the campaign ended without one."
    )
    held_out = serializers.IntegerField()
    counted_at = serializers.DateTimeField(
        allow_null=True,
        help_text="Of a campaign above 20,000 messages: a minute ago or more; each look asks for a count.",
    )
    variants = VariantResultOutput(many=True)
    rest = PartOutput(allow_null=True, help_text="The people who got the winner.")
    differences = serializers.DictField(child=DifferenceOutput(many=True), help_text="By metric, for each pair.")
    sentences = serializers.DictField(child=serializers.CharField(), help_text="What the figures show, by metric.")
    notes = serializers.ListField(child=serializers.CharField(), help_text="What a reader must know about them.")


def show_variants(campaign: Campaign, experiment: Experiment, rows: Sequence[CampaignVariant]) -> dict[str, Any]:
    shown = [
        {
            "variant": row.key,
            "template": row.template.key,
            "version": row.version.number if row.version is not None else row.number,
            "weight": row.weight,
        }
        for row in rows
    ]
    names = VariantsOutput().fields.keys() - {"variants", "default"}
    columns = {name: getattr(experiment, name) for name in names}
    columns |= {"default_key": experiment.default_key, "variants": shown}
    if not rest_waits(campaign, experiment):
        columns["waiting"] = 0
    return dict(VariantsOutput().to_representation(columns))
