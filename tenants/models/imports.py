"""An uploaded file, of recipients or of ids for a list, and what became of it."""

from __future__ import annotations

from django.db import models

from tenants.models.accounts import User
from tenants.models.base import TenantOwned


class Import(TenantOwned):
    """One upload. The web role stores row and file; a worker reads and deletes the file."""

    class Kind(models.TextChoices):
        RECIPIENTS = "recipients"
        LIST = "list"

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        REFUSED = "refused", "Refused: the file is not what it claims, nothing was changed"
        FAILED = "failed", "Failed: nothing was changed"

    kind = models.CharField(max_length=10, choices=Kind, default=Kind.RECIPIENTS, editable=False)
    #: the list that its ids are for
    audience_id = models.UUIDField(null=True, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING, editable=False)
    filename = models.CharField(max_length=255, editable=False)
    #: the name in storage; empty once the file is deleted
    stored = models.CharField(max_length=255, editable=False)
    size = models.BigIntegerField(default=0, editable=False)
    bytes_read = models.BigIntegerField(default=0, editable=False)
    rows = models.IntegerField(default=0, editable=False)
    created = models.IntegerField(default=0, editable=False)
    updated = models.IntegerField(default=0, editable=False)
    unchanged = models.IntegerField(default=0, editable=False)
    devices = models.IntegerField(default=0, editable=False)
    rejected = models.IntegerField(default=0, editable=False)
    #: of a list: stored, duplicates, known, unknown, unknown_ids
    list_report = models.JSONField(default=dict, editable=False)
    #: the type that each attribute's column got, as [name, type, types that stored people have there, too]
    columns = models.JSONField(default=list, editable=False)
    #: the first of the rejected rows, as [line, reason]
    problems = models.JSONField(default=list, editable=False)
    failure = models.CharField(max_length=500, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    created_by = models.ForeignKey(User, null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "-id"], name="import_newest"),
            models.Index(
                fields=["audience_id", "-id"], name="import_of_list", condition=models.Q(audience_id__isnull=False)
            ),
            models.Index(fields=["id"], name="import_open", condition=models.Q(state__in=["waiting", "running"])),
        ]

    def __str__(self) -> str:
        return self.filename
