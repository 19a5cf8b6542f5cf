"""Categories, and what recipients allow. A trigger stores a ConsentChange in the transaction of every change, so that
no writer (API, admin, import, provider receipt) can forget it."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifier.vocabulary.status import ConsentSource, Kind
from tenants.models.accounts import OptIn
from tenants.models.base import TenantOwned
from tenants.models.people import Recipient


class OverCap(models.TextChoices):
    """What becomes of a message that exceeds a frequency cap."""

    DROP = "drop", "Drop: the message is not sent"
    DEFER = "defer", "Defer: the message leaves in the next window that has room"
    DIGEST = "digest", "Digest: the message joins the category's next digest"


class Category(TenantOwned):
    """A kind of notification that a recipient can turn off: "order-updates", "promotions"."""

    key = models.SlugField(max_length=64)
    name = models.CharField(max_length=200)
    description = models.CharField(
        max_length=500, blank=True, help_text=_("Shown to recipients on their preferences page.")
    )
    kind = models.CharField(max_length=16, choices=[(k.value, k.value) for k in Kind], default=Kind.TRANSACTIONAL)
    opt_in = models.CharField(
        "opt-in",
        max_length=6,
        blank=True,
        choices=[("", "As the tenant's settings say (marketing only)"), *OptIn.choices],
        help_text=_("Whether a recipient gets messages of the category before the recipient asked for them."),
    )
    preferred_channels = ArrayField(
        models.CharField(max_length=16),
        default=list,
        blank=True,
        help_text=_(
            "In this order. A message leaves on the first of these channels that reaches the recipient; "
            "on all channels when none of these reaches, or when this is empty."
        ),
    )
    over_cap = models.CharField(
        "over the cap",
        max_length=6,
        choices=OverCap,
        default=OverCap.DROP,
        help_text=_("What becomes of a message that exceeds a frequency cap."),
    )
    #: when set, nothing new may use the category; its present uses continue, and every opt-out stays in force
    archived_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "categories"
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="category_key")]

    def __str__(self) -> str:
        return self.key

    @property
    def archived(self) -> bool:
        return self.archived_at is not None


class Preference(TenantOwned):
    """One recipient's preferences: opt-outs, and explicit opt-ins, which a category may ask for. An opt-in to a
    category with double opt-in is stored here when the recipient has confirmed it."""

    recipient = models.OneToOneField(Recipient, on_delete=models.CASCADE, related_name="preference")
    everything_off = models.BooleanField(
        default=False, db_default=False, help_text=_("Nothing but critical and transactional messages.")
    )
    channels_off = ArrayField(models.CharField(max_length=16), default=list, blank=True)
    categories_off = ArrayField(
        models.CharField(max_length=96),
        default=list,
        blank=True,
        help_text=_("A category's key, or key:channel for one channel of it."),
    )
    categories_on = ArrayField(
        models.CharField(max_length=96),
        default=list,
        blank=True,
        help_text=_("What the recipient asked for: a category's key, or key:channel for one channel of it."),
    )
    preferred_channels = models.JSONField(
        default=dict,
        blank=True,
        help_text=_('A channel for each category, such as {"promotions": "email"}; "" stands for all categories.'),
    )
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    snoozed_until = models.DateTimeField(null=True, blank=True, help_text=_("Marketing waits until then."))
    language = models.CharField(max_length=16, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["tenant", "-id"], name="preference_newest")]

    def __str__(self) -> str:
        return f"preferences of {self.recipient_id}"


class OptInProof(TenantOwned):
    """One double opt-in to a category: who asked for it, the mail that asked for the confirmation, and who confirmed.
    The recipient's preferences hold the opt-in from the confirmation on."""

    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="opt_in_proofs")
    category = models.CharField(max_length=64)
    #: what the recipient asked for: the category's key, or key:channel for one channel of it
    entries = ArrayField(models.CharField(max_length=96))
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=8, help_text=_("api, page (the preferences page), widget, or import."))
    asked_from = models.GenericIPAddressField(null=True, help_text=_("The network address of the caller."))
    asked_with = models.CharField(max_length=300, blank=True, help_text=_("The user agent of the caller."))
    language = models.CharField(max_length=16)
    text = models.TextField(
        help_text=_("The mail that asked for the confirmation, without its link; of an import, where it was given.")
    )
    text_sha256 = models.CharField(max_length=64)
    notification_id = models.UUIDField(null=True, help_text=_("The notification that was the mail."))
    confirmed_at = models.DateTimeField(null=True)
    confirmed_from = models.GenericIPAddressField(null=True)
    confirmed_with = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name = "opt-in proof"
        indexes = [
            models.Index(fields=["tenant", "-id"], name="opt_in_proof_newest"),
            models.Index(fields=["recipient", "category", "-id"], name="opt_in_proof_of_recipient"),
        ]

    def __str__(self) -> str:
        return f"{self.category} of {self.recipient_id}"


class Suppression(TenantOwned):
    """An address that must not be used. Deleting the row allows the address again."""

    class Cause(models.TextChoices):
        BOUNCE = "bounce"
        COMPLAINT = "complaint"
        UNSUBSCRIBE = "unsubscribe"
        DEAD = "dead"
        MANUAL = "manual"
        ERASED = "erased", "Erased: the address of a person who was erased"

    channel = models.CharField(max_length=16)
    address = models.CharField(max_length=1024)
    cause = models.CharField(max_length=16, choices=Cause, default=Cause.MANUAL)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "channel", "address"], name="suppression_once"),
        ]
        indexes = [models.Index(fields=["tenant", "-id"], name="suppression_newest")]

    def __str__(self) -> str:
        return f"{self.channel}: {self.cause}"


class ConsentChange(models.Model):
    """Append-only; written by triggers only. `at` is the time of the change, not the transaction's start."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    recipient_id = models.UUIDField(null=True)
    channel = models.CharField(max_length=16, blank=True)
    address = models.CharField(max_length=1024, blank=True)
    #: the kind of row that changed: preference, suppression, device or recipient
    changed = models.CharField(max_length=32)
    source = models.CharField(max_length=8, choices=[(s.value, s.value) for s in ConsentSource])
    #: of a preference: the columns that changed, with their new values; else what else is needed to understand the
    #: change. No name and no address
    detail = models.JSONField(default=dict)
    at = models.DateTimeField()
    #: PostgreSQL's id of the transaction that made the change: `at` does not say when the change became visible
    transaction_id = models.BigIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "at"], name="consent_change_at"),
            models.Index(fields=["tenant", "transaction_id"], name="consent_change_transaction"),
            models.Index(fields=["tenant", "-id"], name="consent_change_newest"),
            models.Index(
                fields=["recipient_id"], name="consent_change_recipient", condition=models.Q(recipient_id__isnull=False)
            ),
            models.Index(fields=["address"], name="consent_change_address", condition=~models.Q(address="")),
        ]

    def __str__(self) -> str:
        return f"{self.changed} at {self.at:%F %T}"
