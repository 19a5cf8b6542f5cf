"""Digests: how a category gathers its messages, the digests that are open or closed, and the items of open ones."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifier.models.content import Template
from notifier.vocabulary.digests import DEFAULT_ITEMS, MOST_ITEMS
from notifier.vocabulary.status import Mode
from tenants.models import Category, Tenant, TenantOwned


class DigestSetting(TenantOwned):
    """How the messages of one category are gathered. Lengths of time and schedules are texts, as callers write them
    (notifier.vocabulary.digests)."""

    category = models.OneToOneField(Category, on_delete=models.CASCADE, related_name="digest_setting")
    template = models.ForeignKey(
        Template,
        on_delete=models.RESTRICT,
        related_name="+",
        help_text=_("Rendered with items and count; its channels get the digest."),
    )
    window = models.CharField(
        max_length=16,
        blank=True,
        help_text=_("The digest leaves so long after its newest item, such as 10m, 2h or 1d."),
    )
    max_window = models.CharField(
        max_length=16,
        blank=True,
        help_text=_("The digest leaves so long after its first item at the latest. Empty: four windows."),
    )
    schedule = models.CharField(
        max_length=32,
        blank=True,
        help_text=_("Instead of a window: daily at 09:00, or monday at 09:00, on the recipient's clock."),
    )
    max_items = models.PositiveSmallIntegerField(
        default=DEFAULT_ITEMS,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_ITEMS)],
        help_text=_("The template gets so many of the newest items, and count says how many there are."),
    )
    channels = ArrayField(
        models.CharField(max_length=16),
        default=list,
        blank=True,
        help_text=_("Only these channels of the digest template are gathered. Empty: all of them."),
    )

    class Meta:
        indexes = [models.Index(fields=["tenant", "id"], name="digest_setting_tenant")]

    def __str__(self) -> str:
        return f"digest of {self.category}"


class Digest(TenantOwned):
    """Messages to one recipient that leave as one message. As in the ledger, PostgreSQL checks no foreign keys."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    recipient_id = models.UUIDField()
    category = models.CharField(max_length=64, blank=True)
    #: the key that requests named; empty: of all requests of the category without one
    key = models.CharField(max_length=128, blank=True)
    mode = models.CharField(max_length=8, choices=[(m.value, m.value) for m in Mode], default=Mode.LIVE)
    #: as the newest item said them
    template = models.CharField(max_length=64)
    channels = ArrayField(models.CharField(max_length=16))
    max_items = models.PositiveSmallIntegerField()
    #: how many items were gathered, with those that are left out when it closes
    items = models.IntegerField()
    opened_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    latest_close = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    #: the notification that took the items; null: open, failed, or nothing was left to send
    notification_id = models.UUIDField(null=True, blank=True)
    failure = models.CharField(max_length=300, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "recipient_id", "category", "key", "mode"],
                name="digest_open_once",
                condition=models.Q(closed_at__isnull=True),
            )
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="digest_newest"),
            # the admin's search
            models.Index(fields=["recipient_id"], name="digest_recipient"),
            # the sweep takes the due digests of one tenant
            models.Index(fields=["tenant", "closes_at"], name="digest_due", condition=models.Q(closed_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return str(self.id)


class DigestItem(TenantOwned):
    """One notification, or one message of a campaign, in an open digest. Closing the digest deletes its items: the
    ledger's rows name the digest's notification."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    digest_id = models.UUIDField()
    notification_id = models.UUIDField(null=True)
    campaign_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            # a worker that takes over a campaign's shard gathers the same messages again
            models.UniqueConstraint(
                fields=["tenant", "digest_id", "campaign_id"],
                name="digest_item_campaign_once",
                condition=models.Q(campaign_id__isnull=False),
            )
        ]
        indexes = [models.Index(fields=["digest_id"], name="digest_item_digest")]

    def __str__(self) -> str:
        return str(self.id)
