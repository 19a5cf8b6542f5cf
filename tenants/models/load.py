"""The one row that says whether work that is not urgent waits."""

from __future__ import annotations

from django.db import models

from notifier.vocabulary.load import Level, Switch
from tenants.models.accounts import User


class LoadShedding(models.Model):
    """One row, of no tenant; a missing row means that everything is normal. Every process may read it; an operator
    writes the switch, the sweep writes the decision."""

    #: the id of the only row
    ONLY = 1

    id = models.SmallIntegerField(primary_key=True, default=ONLY)
    switch = models.CharField(max_length=4, choices=[(s.value, s.value) for s in Switch], default=Switch.AUTO.value)
    switch_until = models.DateTimeField(null=True, blank=True)
    switched_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    decided = models.CharField(max_length=8, choices=[(v.value, v.value) for v in Level], default=Level.NORMAL.value)
    decided_at = models.DateTimeField(null=True, blank=True)
    cause = models.CharField(max_length=64, blank=True)
    #: since when the facts ask for the other level, without interruption; null: they do not
    asked_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="load_shedding_one_row")]

    def __str__(self) -> str:
        return f"{self.switch}, {self.decided}"
