"""Records of requests and decisions: idempotency keys and the audit log."""

from __future__ import annotations

from django.db import models

from tenants.models.accounts import Tenant, User
from tenants.models.base import TenantOwned


class IdempotencyKey(TenantOwned):
    """The response to a POST, so that a retry gets the same one. In PostgreSQL, so that a flushed Redis repeats
    nothing."""

    #: the API key's mode: a test and a live request never share a response
    mode = models.CharField(max_length=8)
    key = models.CharField(max_length=255)
    endpoint = models.CharField(max_length=100)
    body_digest = models.BinaryField(max_length=32)
    status = models.SmallIntegerField()
    response = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "mode", "endpoint", "key"], name="idempotency_key_once"),
        ]
        indexes = [models.Index(fields=["tenant", "id"], name="idempotency_key_newest")]

    def __str__(self) -> str:
        return self.key


class AuditLog(models.Model):
    """Append-only (a trigger refuses updates and deletes), hash-chained in batches by a task; no personal data."""

    id = models.BigAutoField(primary_key=True)
    # `user` and `tenant` have no index of their own: indexes below begin with them
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    api_key_id = models.UUIDField(null=True, blank=True)
    action = models.CharField(max_length=64)
    object_id = models.CharField(max_length=64, blank=True)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)
    #: position in the tenant's chain (8 bytes) and SHA-256; see tenants.audit
    chain = models.BinaryField(max_length=40, null=True, editable=False)

    class Meta:
        verbose_name_plural = "audit log"
        indexes = [
            models.Index(fields=["tenant", "-id"], name="audit_log_newest"),
            models.Index(fields=["tenant", "action", "-id"], name="audit_log_action"),
            models.Index(fields=["object_id"], name="audit_log_object"),
            models.Index(fields=["user", "-id"], name="audit_log_user"),
            models.Index(fields=["id"], name="audit_log_unchained", condition=models.Q(chain__isnull=True)),
            models.Index(fields=["tenant", "chain"], name="audit_log_chain", condition=models.Q(chain__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_id}"
