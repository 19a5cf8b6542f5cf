"""The rules of memberships: a tenant keeps an owner, and only an open invitation makes a person a member."""

from __future__ import annotations

import secrets
import smtplib
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import structlog
from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from notifier.errors import Conflict
from tenants import audit
from tenants.access import set_scope
from tenants.models import Invitation, Member, Tenant, User

#: how long a link works; sending it again begins anew
VALID = timedelta(days=7)
PATH = "/admin/join/"
_SALT = "tenants.invitation"
log = structlog.get_logger("tenants.members")


def check_owner_remains(tenant_id: uuid.UUID, leaving: Iterable[uuid.UUID]) -> None:
    """Raise Conflict when the tenant would have no owner without these memberships. Locks the tenant's owners, so that
    two owners cannot remove each other at the same moment. Needs an open transaction."""
    owners = Member.objects.select_for_update().filter(tenant_id=tenant_id, role=Member.Role.OWNER)
    owner_ids = set(owners.values_list("pk", flat=True))
    if owner_ids and not owner_ids - set(leaving):
        raise Conflict(_("A tenant keeps at least one owner. Make another member an owner first."), field="role")


def invite(tenant: Tenant, email: str, role: str, by: User | None) -> Invitation:
    """A new invitation, or the open one of this address with the new role."""
    invitation = Invitation.objects.filter(
        tenant=tenant, email__iexact=email, accepted_at=None, revoked_at=None
    ).first()
    if invitation is None:
        invitation = Invitation(tenant=tenant, email=email, invited_by=by)
    invitation.role, invitation.invited_by = role, by
    _renew(invitation)
    audit.record(tenant.pk, "invitation.added", invitation.pk, {"role": role}, by=audit.Actor(by))
    return invitation


def resend(invitation: Invitation, by: User | None) -> None:
    """Make a new link, valid for VALID; earlier links no longer work. Raises Conflict for one that is used or
    revoked."""
    if invitation.accepted_at or invitation.revoked_at:
        raise Conflict(_("This invitation was accepted or revoked. Invite the person again."))
    _renew(invitation)
    audit.record(invitation.tenant_id, "invitation.renewed", invitation.pk, by=audit.Actor(by))


def revoke(invitation: Invitation, by: User | None) -> bool:
    """Make the link useless. False when it was used or revoked before."""
    open_row = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None)
    if not open_row.update(revoked_at=datetime.now(UTC)):
        return False
    audit.record(invitation.tenant_id, "invitation.revoked", invitation.pk, by=audit.Actor(by))
    return True


def _renew(invitation: Invitation) -> None:
    invitation.nonce, invitation.sent_at = secrets.token_urlsafe(16), None
    invitation.expires_at = datetime.now(UTC) + VALID
    invitation.save()


def link_of(invitation: Invitation) -> str:
    """The whole address of the page that the invited person opens."""
    token = signing.dumps([str(invitation.tenant_id), str(invitation.pk), invitation.nonce], salt=_SALT)
    return f"{settings.SITE_URL}{PATH}{token}/"


def can_send_mail() -> bool:
    """Whether the installation has a mail server for its own mail."""
    return bool(settings.EMAIL_HOST_GIVEN)


def send(invitation: Invitation, invited_by: str) -> bool:
    """Send the link through the installation's mail server. False when the server did not take it."""
    context = {
        "tenant": invitation.tenant.name,
        "invited_by": invited_by,
        "role": invitation.get_role_display(),
        "link": link_of(invitation),
        "days": VALID.days,
    }
    mail = EmailMessage(
        subject=_("Join %(tenant)s on Notifier") % {"tenant": " ".join(invitation.tenant.name.split())},
        body=render_to_string("admin/access/invitation.txt", context),
        to=[invitation.email],
    )
    try:
        mail.send()
    except (OSError, smtplib.SMTPException) as error:
        # the type only: the text may quote the address
        log.warning("invitation not sent", action="invitation.mail", error=type(error).__name__)
        return False
    invitation.sent_at = datetime.now(UTC)
    invitation.save(update_fields=["sent_at"])
    return True


def find_open(token: str) -> Invitation | None:
    """The invitation of a link, if it is open. From here on the transaction sees the invitation's tenant."""
    try:
        tenant_id, pk, nonce = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError):
        return None
    set_scope([uuid.UUID(tenant_id)])
    invitation = Invitation.objects.select_related("tenant").filter(pk=pk, nonce=nonce).first()
    return invitation if invitation is not None and invitation.is_open and invitation.tenant.active else None


def accept(invitation: Invitation, user: User) -> Member:
    """Make the user a member. Raises Conflict when the user is one already, or another request was faster. Needs a
    transaction that sees the tenant."""
    if Member.objects.filter(tenant_id=invitation.tenant_id, user=user).exists():
        raise Conflict(_("You are a member of this tenant already."))
    open_row = Invitation.objects.filter(pk=invitation.pk, nonce=invitation.nonce, accepted_at=None, revoked_at=None)
    if not open_row.update(accepted_at=datetime.now(UTC)):
        raise Conflict(_("This invitation was used or revoked a moment ago."))
    member = Member.objects.create(tenant_id=invitation.tenant_id, user=user, role=invitation.role)
    detail = {"role": invitation.role, "member": str(member.pk)}
    audit.record(invitation.tenant_id, "invitation.accepted", invitation.pk, detail, by=audit.Actor(user))
    return member
