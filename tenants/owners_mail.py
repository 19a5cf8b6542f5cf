"""Mail of the installation to the owners of a tenant, in English."""

from __future__ import annotations

import smtplib

import structlog
from django.conf import settings
from django.core.mail import EmailMessage

from tenants.models import Member, Tenant

log = structlog.get_logger("tenants.owners_mail")


def send_to_owners(tenant: Tenant, subject: str, body: str) -> int:
    """One mail to each active owner with an address; returns how many the server took. 0 without a mail server. Names
    nobody and no address in the log."""
    if not settings.EMAIL_HOST_GIVEN:
        return 0
    owners = Member.objects.filter(tenant=tenant, role=Member.Role.OWNER, user__is_active=True)
    sent = 0
    for address in owners.exclude(user__email="").values_list("user__email", flat=True).distinct():
        try:
            sent += EmailMessage(" ".join(subject.split()), body, to=[address]).send()
        except (OSError, smtplib.SMTPException) as error:
            log.warning("mail not sent", action="owners mail", tenant=str(tenant.pk), error=type(error).__name__)
    return sent
