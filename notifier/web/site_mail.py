"""The connection to the installation's own mail server, which sends invitations."""

from __future__ import annotations

import ssl

from django.conf import settings
from django.core.mail.backends.smtp import EmailBackend
from django.utils.functional import cached_property


class SiteMail(EmailBackend):
    """Django's SMTP client. It also trusts the certificate authority of EMAIL_CA, which signed the certificate of an
    internal mail server, or that of the sandbox."""

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if settings.EMAIL_CA:
            context.load_verify_locations(settings.EMAIL_CA)
        return context
