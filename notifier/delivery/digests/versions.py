"""What a digest is accepted with: the newest version of its template, and the tenant's own id of its recipient."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from notifier.models import TemplateVersion
from tenants.models import Recipient


def newest_versions(tenant_id: uuid.UUID, keys: Collection[str]) -> dict[str, uuid.UUID]:
    """Template key -> its newest version; a template that was deleted is missing."""
    versions = TemplateVersion.objects.filter(tenant_id=tenant_id, template__key__in=keys)
    newest = versions.order_by("template_id", "-number").distinct("template_id")
    return dict(newest.values_list("template__key", "pk"))


def external_ids_of(tenant_id: uuid.UUID, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Recipient -> external_id; a recipient that was deleted is missing."""
    return dict(Recipient.objects.filter(tenant_id=tenant_id, pk__in=ids).values_list("pk", "external_id"))
