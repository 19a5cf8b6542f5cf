"""Uploaded files, of recipients or of ids for a list, with the progress and the result of each."""

from __future__ import annotations

from django.db import models

from tenants.models.accounts import User
from tenants.models.base import TenantOwned


class Import(TenantOwned):
    """One upload. A web process stores row and file; a worker reads the file and deletes it."""

    class Kind(models.TextChoices):
        RECIPIENTS = "recipients", "People"
        CONSENTS = "consents", "Consents"
        LIST = "list", "List"

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        REFUSED = "refused", "Refused: the file cannot be read, nothing was changed"
        FAILED = "failed", "Failed: nothing was changed"

    kind = models.CharField(max_length=10, choices=Kind, default=Kind.RECIPIENTS, editable=False)
    #: the audience that a file of ids is for
    audience_id = models.UUIDField(null=True, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING, editable=False)
    filename = models.CharField(max_length=255, editable=False)
    #: the name in storage; empty once the file is deleted
    stored = models.CharField(max_length=255, editable=False)
    #: the name in storage of the rows that were left out (tenants.imports.left_out); empty without any, and once the
    #: file is deleted
    left_out = models.CharField(max_length=255, blank=True, default="", editable=False)
    size = models.BigIntegerField(default=0, editable=False)
    bytes_read = models.BigIntegerField(default=0, editable=False)
    rows = models.IntegerField(default=0, editable=False)
    created = models.IntegerField(default=0, editable=False)
    updated = models.IntegerField(default=0, editable=False)
    unchanged = models.IntegerField(default=0, editable=False)
    devices = models.IntegerField(default=0, editable=False)
    rejected = models.IntegerField(default=0, editable=False)
    #: of a file of ids: stored, duplicates, known, unknown, unknown_ids
    list_report = models.JSONField(default=dict, editable=False)
    #: each attribute column, as [name, type of its values, other types that stored recipients have there]
    columns = models.JSONField(default=list, editable=False)
    #: the first rejected rows, as [line, reason]
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
