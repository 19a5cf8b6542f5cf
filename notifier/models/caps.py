"""Frequency caps of a tenant, and the places that messages took in their windows."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import Category, Tenant, TenantOwned

#: the holders of a window's places stand in one row, 16 bytes each
MOST = 1_000


class FrequencyCap(TenantOwned):
    """At most so many messages of a category, on a channel, for one recipient in each hour, day or week."""

    class Period(models.TextChoices):
        HOUR = "hour"
        DAY = "day"
        WEEK = "week"

    # a category that a cap names is not deleted (tenants.categories)
    category = models.ForeignKey(
        Category,
        null=True,
        blank=True,
        on_delete=models.RESTRICT,
        related_name="+",
        help_text=_(
            "Empty: all marketing messages together. A cap holds transactional and critical messages only when"
            " it names their category."
        ),
    )
    channel = models.CharField(
        max_length=16,
        blank=True,
        help_text=_("Empty: all channels together; a notification on several channels or devices then counts once."),
    )
    most = models.PositiveIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(MOST)],
        help_text=_("Notifications and campaigns that one recipient gets in a period, 1 to 1,000."),
    )
    period = models.CharField(
        max_length=8,
        choices=Period,
        help_text=_("Of the recipient's own clock: a day from midnight, a week from Monday."),
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "category", "channel", "period"],
                name="frequency_cap_once",
                violation_error_message="There is such a cap already: change it instead.",
            ),
            # two constraints: for one with `nulls_distinct`, Django's checks ask the database for its version, and
            # nothing could start without one
            models.UniqueConstraint(
                fields=["tenant", "channel", "period"],
                condition=models.Q(category__isnull=True),
                name="frequency_cap_of_all_once",
                violation_error_message="There is such a cap already: change it instead.",
            ),
        ]

    def __str__(self) -> str:
        kind = self.category.key if self.category else "all marketing"
        where = f" on {self.channel}" if self.channel else ""
        return f"{self.most} of {kind}{where} each {self.period}"


class CapCount(models.Model):
    """Who holds the places of one cap, recipient and window: ids of notifications and campaigns, each once, never more
    than the cap allows. No foreign keys: each would cost arming a check for each message. Rows of old windows are
    deleted (notifier.delivery.caps.places)."""

    pk = models.CompositePrimaryKey("cap_id", "recipient_id", "window_start")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    cap_id = models.UUIDField()
    recipient_id = models.UUIDField()
    window_start = models.DateTimeField()
    holders = ArrayField(models.UUIDField())

    class Meta:
        # for the deletion of old windows. Few distinct values, each of which the index stores once
        indexes = [models.Index(fields=["window_start"], name="cap_count_window")]

    def __str__(self) -> str:
        return f"{self.cap_id} {self.window_start}"
