"""Invitations: a person with a mail address may become a member of a tenant."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.models.accounts import Member, User
from tenants.models.base import TenantOwned


class Invitation(TenantOwned):
    """A link, sent to a mail address, that makes a person a member once. The link carries `nonce`, signed; sending it
    again makes a new nonce, so that only the newest link works."""

    email = models.EmailField(_("mail address"))
    role = models.CharField(_("role"), max_length=16, choices=Member.Role, default=Member.Role.AUTHOR)
    nonce = models.CharField(max_length=32, editable=False)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, editable=False, related_name="+")
    created_at = models.DateTimeField(_("invited"), auto_now_add=True)
    #: when a mail server took the mail; null: the link was shown to be copied
    sent_at = models.DateTimeField(_("mail sent"), null=True, editable=False)
    expires_at = models.DateTimeField(_("valid until"), editable=False)
    accepted_at = models.DateTimeField(_("accepted"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="invitation_open_once",
            )
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def is_open(self) -> bool:
        return self.accepted_at is None and self.revoked_at is None and self.expires_at > timezone.now()
