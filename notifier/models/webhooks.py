"""Webhooks: a tenant's endpoints, the spool of events, the messages that carry them, and the attempts."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import Tenant, TenantOwned


class WebhookEndpoint(TenantOwned):
    """An address of a tenant's server that is told of events. Secrets and headers are encrypted
    (notifier.encryption). The lease, the fence and what follows are the sender's (notifier.webhooks.claims)."""

    url = models.CharField(max_length=500, help_text=_("Begins with https:// and names a public server."))
    description = models.CharField(max_length=200, blank=True)
    enabled = models.BooleanField(default=True)
    event_types = ArrayField(
        models.CharField(max_length=64),
        default=list,
        blank=True,
        help_text=_("Names of events, or the beginning of names, such as delivery.*; empty: every event."),
    )
    #: encrypted JSON: name -> value
    headers = models.BinaryField(default=bytes, editable=False)
    secret = models.BinaryField(default=bytes, editable=False)
    #: signs beside the new secret until then
    earlier_secret = models.BinaryField(default=bytes, editable=False)
    earlier_until = models.DateTimeField(null=True, editable=False)
    #: why Notifier disabled the endpoint; empty: it did not
    disabled_because = models.CharField(max_length=200, blank=True, default="", editable=False)
    #: when the owners were mailed that it was disabled
    notified_at = models.DateTimeField(null=True, editable=False)
    #: failed attempts since the last success, and the time of the first of them
    failures = models.IntegerField(default=0, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    last_error = models.CharField(max_length=200, blank=True, default="", editable=False)
    succeeded_at = models.DateTimeField(null=True, editable=False)
    #: no attempt before this time
    resume_at = models.DateTimeField(auto_now_add=True, editable=False)
    #: the last claim, so that endpoints take turns across tenants
    served_at = models.DateTimeField(auto_now_add=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    fence = models.IntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["tenant", "-id"], name="webhook_endpoint_newest")]

    def __str__(self) -> str:
        return self.description or self.url


class WebhookSpool(TenantOwned):
    """Up to 100 events of one tenant, written in the transaction of the change that they tell: a list of objects, as
    the endpoints get them. `packed`: the messages of all endpoints have been made."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    events = models.JSONField()
    #: by the clock of PostgreSQL, so that events of one delivery are in their order
    created_at = models.DateTimeField()
    packed = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "webhook spool"
        indexes = [
            models.Index(
                fields=["tenant", "created_at"], name="webhook_spool_unpacked", condition=models.Q(packed=False)
            ),
            models.Index(fields=["tenant", "created_at"], name="webhook_spool_newest"),
            models.Index(fields=["created_at"], name="webhook_spool_old"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class WebhookMessage(TenantOwned):
    """One request to one endpoint: the id is the `webhook-id` of every attempt and replay. No foreign key to the
    endpoint: an endpoint is deleted at once, and its messages in time (notifier.webhooks.forgetting)."""

    class State(models.IntegerChoices):
        WAITING = 0, _("waiting")
        DONE = 1, _("done")
        FAILED = 2, _("given up")

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    endpoint_id = models.UUIDField()
    #: rows of WebhookSpool, in their order; empty: an example
    spool_ids = ArrayField(models.UUIDField(), default=list)
    #: the endpoint's filters when the message was made, so that a retry says the same
    filters = ArrayField(models.CharField(max_length=64), default=list)
    #: ids of the only events that the message has; empty: all that fit the filters
    only = ArrayField(models.CharField(max_length=64), default=list)
    #: the types that it has
    event_types = ArrayField(models.CharField(max_length=64), default=list)
    events = models.IntegerField(default=0)
    state = models.SmallIntegerField(choices=State, default=State.WAITING)
    attempts = models.SmallIntegerField(default=0)
    due_at = models.DateTimeField()
    #: when its tries began: three days after that, Notifier gives up
    begun_at = models.DateTimeField()
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["endpoint_id", "-id"], name="webhook_message_newest"),
            models.Index(fields=["endpoint_id", "created_at", "id"], name="webhook_message_of"),
            # a worker takes the oldest due message of an endpoint
            models.Index(
                fields=["endpoint_id", "created_at", "id"], name="webhook_message_due", condition=models.Q(state=0)
            ),
            # what waits or was given up, for the page of the endpoint
            models.Index(fields=["endpoint_id", "-id"], name="webhook_message_open", condition=~models.Q(state=1)),
            models.Index(fields=["created_at"], name="webhook_message_old"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class WebhookAttempt(TenantOwned):
    """One request and its answer, for a person to look at."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    endpoint_id = models.UUIDField()
    message_id = models.UUIDField()
    at = models.DateTimeField()
    #: HTTP status; null: there was no answer, and `error` says why
    status = models.SmallIntegerField(null=True)
    error = models.CharField(max_length=200, blank=True, default="")
    latency_ms = models.IntegerField(default=0)
    #: the first 1,024 characters of the answer's body
    answer = models.CharField(max_length=1024, blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["endpoint_id", "-id"], name="webhook_attempt_newest"),
            models.Index(fields=["message_id"], name="webhook_attempt_message"),
            models.Index(fields=["at"], name="webhook_attempt_old"),
        ]

    def __str__(self) -> str:
        return str(self.status or self.error)
