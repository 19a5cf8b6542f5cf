"""/v1/recipients/<external_id>/consents: the double opt-ins of a recipient, with their proof."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.pagination import page
from notifier.api.framework.views import TenantView
from notifier.api.people import shapes
from notifier.api.people.recipients import TAGS, find
from tenants.models import OptInProof


class ConsentsView(TenantView):
    scope = "recipients"
    reads_replica = True

    @schema.get_list("List the double opt-ins of a recipient", shapes.ConsentOutput, 404, tags=TAGS)
    def get(self, request: Request, external_id: str) -> Response:
        """Who asked for each, the mail that asked for the confirmation, and who confirmed it. Newest first."""
        rows = OptInProof.objects.filter(recipient=find(self.tenant, external_id))
        return Response(page(request, rows, _shown))


def _shown(listed: Sequence[OptInProof]) -> list[Any]:
    return [shapes.ConsentOutput(proof).data for proof in listed]
