"""The A/B test of a campaign: its settings, its variants, and the choice of the winner. Nothing is stored by person:
campaigns.arming.planning.assignment derives the variant of a recipient from ids."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Campaign
from notifier.models import Template, TemplateVersion
from tenants.models import TenantOwned, User


class Choice(models.TextChoices):
    """How the winner is chosen."""

    BY_HAND = "by_hand", _("a person chooses")
    RULE = "rule", _("a rule chooses")


class Metric(models.TextChoices):
    """What the rule compares. Of `unsubscribed` the lowest rate wins, of the others the highest."""

    OPENED = "opened", _("opened")
    CLICKED = "clicked", _("clicked")
    UNSUBSCRIBED = "unsubscribed", _("unsubscribed")


class Otherwise(models.TextChoices):
    """What the rule does when the figures show no winner."""

    WAIT = "wait", _("wait for a person")
    DEFAULT = "default", _("send the default variant")


class Experiment(TenantOwned):
    """The A/B test of a campaign. `winner` is written once, by the conditional UPDATE of
    campaigns.lifecycle.running.winner."""

    campaign = models.OneToOneField(Campaign, on_delete=models.CASCADE, related_name="experiment")
    #: percent of the audience; the rest waits for the winner
    test_percent = models.PositiveSmallIntegerField(default=20)
    holdout_percent = models.PositiveSmallIntegerField(default=0)
    choice = models.CharField(max_length=8, choices=Choice, default=Choice.BY_HAND)
    metric = models.CharField(max_length=12, choices=Metric, default=Metric.OPENED)
    #: minutes after the last message of the test has left
    after_minutes = models.PositiveIntegerField(default=240)
    #: people whom each variant must have reached
    min_sample = models.PositiveIntegerField(default=1_000)
    otherwise = models.CharField(max_length=8, choices=Otherwise, default=Otherwise.WAIT)
    default_key = models.CharField(max_length=1, default="A")
    # -- what happened --
    #: people of the audience who wait for the winner, and people held out; counted while arming
    waiting = models.IntegerField(default=0, editable=False)
    held_out = models.IntegerField(default=0, editable=False)
    winner = models.CharField(max_length=1, default="", editable=False)
    decided_at = models.DateTimeField(null=True, editable=False)
    #: how: hand, rule, or default (the rule found no winner)
    chosen = models.CharField(max_length=8, default="", editable=False)
    #: None: the rule, or an API key
    decided_by = models.ForeignKey(User, null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    #: the rule ran and found no winner: why; empty before
    undecided = models.CharField(max_length=500, default="", editable=False)
    #: the rule has run once: it decides at one planned look, and not at the first look that suits
    looked_at = models.DateTimeField(null=True, editable=False)
    #: the winner is chosen, and the ranges of the rest are being armed
    arming_rest = models.BooleanField(default=False, editable=False)

    class Meta:
        indexes = [
            # the sweep looks every second
            models.Index(
                fields=["looked_at"],
                name="experiment_undecided",
                condition=models.Q(choice=Choice.RULE, winner="", looked_at__isnull=True),
            ),
            models.Index(fields=["campaign"], name="experiment_arming_rest", condition=models.Q(arming_rest=True)),
        ]

    def __str__(self) -> str:
        return f"A/B test of {self.campaign_id}"

    @property
    def has_rest(self) -> bool:
        """Whether a part of the audience waits for the winner."""
        return self.test_percent + self.holdout_percent < 100


class CampaignVariant(TenantOwned):
    """One variant. `number`: a fixed version of the template; empty: the newest when the campaign is armed."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="variants")
    key = models.CharField(max_length=1)
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField(null=True, blank=True)
    weight = models.PositiveSmallIntegerField(default=1)
    #: what arming froze
    version = models.ForeignKey(TemplateVersion, null=True, editable=False, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["campaign", "key"], name="variant_key")]

    def __str__(self) -> str:
        return f"variant {self.key}"
