"""Recipients and their devices."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from notifier.values.push_token import MAX_PLATFORM, MAX_TOKEN
from tenants.models.accounts import check_timezone
from tenants.models.base import TenantOwned

#: the most characters of the reason of a dead device
DEAD_REASON = 200


class Recipient(TenantOwned):
    """A person whom the tenant notifies. `external_id` is the tenant's own id of the person."""

    class State(models.TextChoices):
        ACTIVE = "active"
        BLOCKED = "blocked"
        ERASED = "erased"

    external_id = models.CharField(max_length=128)
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(max_length=254, blank=True)
    phone = models.CharField(max_length=16, blank=True, help_text=_("E.164, such as +491701234567"))
    locale = models.CharField(max_length=16, blank=True, help_text=_("BCP 47, such as de-AT"))
    timezone = models.CharField(max_length=64, blank=True, validators=[check_timezone])
    #: of the device that was seen last; `tenants.people.devices` and a trigger keep it
    device_timezone = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    attributes = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=8, choices=State, default=State.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "external_id"], name="recipient_external_id"),
        ]
        # arming reads segments in the order of ids within the tenant
        indexes = [
            models.Index(fields=["tenant", "id"], name="recipient_walk"),
            # the admin's list of blocked and erased recipients
            models.Index(
                fields=["tenant", "status", "external_id"],
                name="recipient_inactive",
                condition=~models.Q(status="active"),
            ),
        ]

    def __str__(self) -> str:
        return self.external_id


class Device(TenantOwned):
    """A push address of a recipient. Within a tenant and platform, and whatever the app, a token belongs to one
    recipient: the one that registered it last (tenants.people.devices)."""

    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="devices")
    platform = models.CharField(max_length=MAX_PLATFORM, default="fcm")
    token = models.CharField(max_length=MAX_TOKEN)
    app = models.CharField(max_length=100, blank=True, help_text=_("The app of yours that made the token."))
    timezone = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        validators=[check_timezone],
        help_text=_("Of the phone, as the app reports it. It counts before the recipient's own time zone."),
    )
    created_at = models.DateTimeField(auto_now_add=True)
    last_seen_at = models.DateTimeField(auto_now_add=True)
    dead_since = models.DateTimeField(null=True, blank=True)
    #: what the provider said of the token, or `stale`; empty while the device is alive
    dead_reason = models.CharField(max_length=DEAD_REASON, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "platform", "token"], name="device_token_once"),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="device_newest"),
            # the task that marks stale devices reads those that were seen longest ago
            models.Index(
                fields=["platform", "last_seen_at"],
                name="device_last_seen",
                condition=models.Q(dead_since__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.platform} …{self.token[-8:]}"
