"""How far a notification with a fallback route has come. Its messages are ordinary deliveries: those of later steps
wait with the queue position LATER_STEP."""

from __future__ import annotations

from django.db import models

from notifier.models.ledger import Notification
from tenants.models import Tenant, TenantOwned


class Route(TenantOwned):
    """The route of one notification. `steps` is the route as it was asked for (notifier.vocabulary.routes); `step` the
    number of the newest step that has started or was skipped, from 1; `due_at` when the sweep looks at the route
    again, null when the route is over."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    notification = models.OneToOneField(
        Notification, on_delete=models.CASCADE, related_name="route", db_constraint=False
    )
    steps = models.JSONField()
    step = models.PositiveSmallIntegerField(default=1)
    due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "-id"], name="route_newest"),
            # routes.sweep: routes that are due
            models.Index(fields=["due_at"], name="route_due", condition=models.Q(due_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return str(self.notification_id)
