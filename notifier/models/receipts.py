"""What providers report, as it came: calls of the receipts address that a worker has not read yet; and messages about
which a provider's server must be asked."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants.models import Tenant, TenantOwned


class Receipt(TenantOwned):
    """One call of a provider, or events that wait for their deliveries. A worker deletes the row when it has applied
    the events. No foreign key to the account: a check would cost each call a lock of the account's row."""

    class State(models.IntegerChoices):
        NEW = 0, "new"  #: `sealed` is the call; no worker has read it
        PARKED = 1, "parked"  #: `sealed` is a list of events whose deliveries are not known or not final yet
        UNREADABLE = 2, "unreadable"  #: `sealed` is the call; kept for a person

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    account_id = models.UUIDField()
    state = models.SmallIntegerField(choices=State, default=State.NEW)
    #: encrypted: a call holds addresses, and the secret of the account
    sealed = models.BinaryField(editable=False)
    received_at = models.DateTimeField()
    due_at = models.DateTimeField()
    attempts = models.SmallIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name = "unreadable receipt"
        indexes = [
            # a worker takes the due rows of one account
            models.Index(fields=["account_id", "due_at"], name="receipt_due", condition=models.Q(state__lt=2)),
            models.Index(fields=["tenant", "-id"], name="receipt_unreadable", condition=models.Q(state=2)),
        ]

    def __str__(self) -> str:
        return str(self.id)


class AwaitedReceipts(TenantOwned):
    """Messages of one account about which the provider's server must be asked (Provider.polls_receipts), many in one
    row: `refs[i]` is the provider's reference of the delivery `delivery_ids[i]`. A worker deletes the row in the
    transaction that stores the events, and stores what is left without one as a row again. No foreign key to the
    account, as in Receipt."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    account_id = models.UUIDField()
    delivery_ids = ArrayField(models.UUIDField())
    refs = ArrayField(models.TextField())
    #: when the provider took the latest of the messages
    sent_at = models.DateTimeField()
    due_at = models.DateTimeField()
    attempts = models.SmallIntegerField(default=0)

    class Meta:
        verbose_name_plural = "awaited receipts"
        indexes = [
            # a worker takes the due rows of one account
            models.Index(fields=["account_id", "due_at"], name="awaited_receipts_due")
        ]

    def __str__(self) -> str:
        return str(self.id)
