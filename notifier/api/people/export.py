"""/v1/recipients/<external_id>/export: everything that is stored of one person."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.views import TenantView
from notifier.api.people.recipients import TAGS, find
from notifier.errors import InvalidInput
from tenants.export import export


class ExportView(TenantView):
    scope = "recipients"

    @schema.describe(
        "Export a person",
        gives=OpenApiTypes.OBJECT,
        fails=(400, 404),
        tags=TAGS,
        parameters=[OpenApiParameter("before", str, description="`next` of the page before; without it, the newest.")],
    )
    def get(self, request: Request, external_id: str) -> Response:
        """All that Notifier holds: the person's row, devices, preferences, consent changes and proofs, requests,
        messages with content and history, the inbox. A page has up to 1,000 rows of each kind, newest first; `next`
        leads to older ones and is null on the last page."""
        recipient = find(self.tenant, external_id)
        return Response(export(recipient, _before(request.query_params.get("before"))))


def _before(text: Any) -> uuid.UUID | None:
    try:
        return None if text is None else uuid.UUID(text)
    except ValueError:
        raise InvalidInput("This is no `next` of an export; start without it.", field="before") from None
