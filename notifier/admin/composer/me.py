"""The recipient that is the member: to whom "Send it to me" sends, and as whom a preview is shown at first. The session
remembers the choice; at first it is the recipient with the member's own email address."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from tenants.models import Recipient, Tenant
from tenants.people.search import search_recipients

#: in the session: tenant -> the recipient of this user's last test send; the steps to GO of a campaign use it, too
TESTERS = "campaign_testers"
#: in the session: tenant -> the recipient of the last preview
_VIEWED = "template_previews"
#: tenants that a session remembers
_KEPT = 20


def own_recipient(request: HttpRequest, tenant: Tenant) -> str:
    """The external id of the recipient as whom a preview is shown at first; empty while it is not known."""
    return viewed_recipient(request, tenant) or tester(request, tenant)


def viewed_recipient(request: HttpRequest, tenant: Tenant) -> str:
    """The external id of the recipient of the last preview; empty before the first one."""
    return str(request.session.get(_VIEWED, {}).get(str(tenant.pk), ""))


def tester(request: HttpRequest, tenant: Tenant) -> str:
    """The external id of the recipient of test sends; empty while it is not known."""
    if kept := request.session.get(TESTERS, {}).get(str(tenant.pk)):
        return str(kept)
    email = getattr(request.user, "email", "")
    if not email:
        return ""
    ids = search_recipients(email, tenant.pk, 5)
    rows = Recipient.objects.filter(tenant=tenant, pk__in=ids, email__iexact=email)
    return next(iter(rows.values_list("external_id", flat=True)[:1]), "")


def remember(request: HttpRequest, tenant: Tenant, external_id: str, *, chosen: bool = False) -> None:
    """Keep the recipient of a preview (`chosen`), or of a test send."""
    name, key = _VIEWED if chosen else TESTERS, str(tenant.pk)
    remembered: dict[str, Any] = request.session.get(name, {})
    if remembered.get(key) == external_id:
        return
    others = {k: v for k, v in remembered.items() if k != key}
    # assigning to a key of the session is what makes Django save it
    request.session[name] = dict([*list(others.items())[1 - _KEPT :], (key, external_id)])
