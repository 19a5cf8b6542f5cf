"""/v1/recipients: create, change, read and list the recipients of a tenant."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.pagination import Order, page
from notifier.api.framework.views import TenantView
from notifier.api.people import shapes
from notifier.errors import Conflict
from notifier.values.trim import trimmed
from tenants.access import get_owned
from tenants.models import Recipient, Tenant
from tenants.people import fields

TAGS = ["recipients"]
EXAMPLES = [
    OpenApiExample(
        "A recipient in Vienna",
        {
            "name": "Ana",
            "email": "ana@example.com",
            "phone": "+436601234567",
            "locale": "de-AT",
            "timezone": "Europe/Vienna",
            "attributes": {"plan": "pro"},
        },
        request_only=True,
    )
]


class RecipientsView(TenantView):
    scope = "recipients"
    reads_replica = True

    @schema.get_list("List recipients by external_id", shapes.RecipientOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        """In the order of your own ids."""
        rows = Recipient.objects.filter(tenant_id=self.tenant_id)
        return Response(page(request, rows, _shown, Order("external_id")))


class RecipientView(TenantView):
    scope = "recipients"

    @schema.describe("Read a recipient", gives=shapes.RecipientOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, external_id: str) -> Response:
        """By your own id of the recipient."""
        return Response(_shown([find(self.tenant, external_id)])[0])

    @schema.put(
        "Create or change a recipient",
        shapes.RecipientInput,
        shapes.RecipientOutput,
        also=201,
        tags=TAGS,
        examples=EXAMPLES,
    )
    def put(self, request: Request, external_id: str) -> Response:
        """Safe to repeat, and safe to send by several servers at once."""
        columns = {name: "" if value is None else value for name, value in self.read(shapes.RecipientInput).items()}
        recipient, created = upsert(self.tenant_id, fields.external_id(external_id), columns)
        return Response(_shown([recipient])[0], status=201 if created else 200)


def upsert(tenant_id: uuid.UUID, external_id: str, columns: dict[str, Any]) -> tuple[Recipient, bool]:
    """Create or change the recipient. Returns it and whether it is new. Raises Conflict if it was erased."""
    recipient, created = Recipient.objects.get_or_create(tenant_id=tenant_id, external_id=external_id, defaults=columns)
    if created or not columns:
        return recipient, created
    with transaction.atomic():
        recipient = Recipient.objects.select_for_update().get(pk=recipient.pk)
        check_not_erased(recipient)
        for name, value in columns.items():
            setattr(recipient, name, value)
        recipient.save(update_fields=[*columns, "updated_at"])
    return recipient, False


def check_not_erased(recipient: Recipient) -> None:
    """Raises Conflict."""
    if recipient.status == Recipient.State.ERASED:
        raise Conflict("This person was erased and cannot be written to again.", code="erased")


def find(tenant: Tenant, external_id: str) -> Recipient:
    """The tenant's recipient. Raises NotFound."""
    return get_owned(Recipient.objects.all(), tenant, external_id=trimmed(external_id))


def _shown(listed: Sequence[Recipient]) -> list[Any]:
    return [shapes.RecipientOutput(recipient).data for recipient in listed]
