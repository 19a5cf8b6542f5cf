"""What a tenant's status page shows beside the present: past hours, and incidents that people write."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import TenantOwned


class StatusHour(TenantOwned):
    """How a channel was in one hour: how many looks there were, a minute apart, and how many found trouble."""

    channel = models.CharField(max_length=16)
    hour = models.DateTimeField()
    looks = models.SmallIntegerField(default=0)
    degraded = models.SmallIntegerField(default=0)
    outage = models.SmallIntegerField(default=0)
    #: of the newest look
    minute = models.SmallIntegerField(default=-1)

    class Meta:
        indexes = [models.Index(fields=["hour"], name="status_hour_age")]
        constraints = [models.UniqueConstraint(fields=["tenant", "channel", "hour"], name="status_hour_once")]

    def __str__(self) -> str:
        return f"{self.channel} {self.hour}"


class Incident(TenantOwned):
    """A disturbance as the tenant tells it to the readers of its status page."""

    class Stage(models.TextChoices):
        INVESTIGATING = "investigating", _("Investigating: the cause is looked for")
        IDENTIFIED = "identified", _("Identified: the cause is known")
        MONITORING = "monitoring", _("Monitoring: it is mended, and watched")
        RESOLVED = "resolved", _("Resolved: it is over")

    title = models.CharField(max_length=200)
    text = models.TextField(
        max_length=4000, blank=True, help_text=_("Everybody may read it: no names of people, no addresses.")
    )
    channels = ArrayField(
        models.CharField(max_length=16),
        default=list,
        blank=True,
        help_text=_("The channels that are affected, such as email, sms; empty: all."),
    )
    stage = models.CharField(max_length=13, choices=Stage, default=Stage.INVESTIGATING)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty: it goes on."))
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["tenant", "-began_at"], name="incident_newest")]

    def __str__(self) -> str:
        return self.title
