"""A tenant's credentials for a provider."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from notifier.values.push_token import MAX_PLATFORM
from tenants.models import TenantOwned


class ProviderAccount(TenantOwned):
    """A tenant's account at a provider; a channel may have several, with weights. `config` is encrypted
    (notifier.encryption) and never shown."""

    name = models.CharField(max_length=100)
    channel = models.CharField(max_length=16, editable=False)
    provider = models.CharField(max_length=32)
    platform = models.CharField(max_length=MAX_PLATFORM, blank=True, editable=False)
    app = models.CharField(
        max_length=100,
        blank=True,
        help_text=_("Only devices of this app; empty: devices of every app that has no account of its own."),
    )
    sandbox = models.BooleanField(default=False, editable=False)
    config = models.BinaryField(default=bytes, editable=False)
    #: encrypted like `config`; the provider's calls of the receipts address must hold it. Empty: no call is accepted
    receipts_secret = models.BinaryField(default=bytes, editable=False)
    weight = models.PositiveSmallIntegerField(default=100, help_text=_("Share of messages among healthy accounts."))
    rate_per_s = models.FloatField(
        null=True, blank=True, help_text=_("Messages a second; empty: the provider's own default.")
    )
    enabled = models.BooleanField(default=True)
    #: the result of the last test: name, passed (null: a warning), text
    checks = models.JSONField(default=list, editable=False)
    test_requested_at = models.DateTimeField(null=True, editable=False)
    tested_at = models.DateTimeField(null=True, editable=False)
    #: the last claim of the account's rows, so that accounts take turns across tenants
    served_at = models.DateTimeField(auto_now_add=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="provider_account_name")]

    def __str__(self) -> str:
        return self.name
