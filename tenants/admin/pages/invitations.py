"""Invitations: an owner enters a mail address and a role, and the person gets a mail with a link. Without a mail server
of the installation, the page shows the link once, to be copied."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from notifier.errors import Conflict
from tenants import members
from tenants.admin.base.forms import TenantForm
from tenants.admin.base.model_admin import TenantModelAdmin
from tenants.admin.roles import OWNERS, may
from tenants.admin.shown_once import OneTimeSecret, show_once
from tenants.admin.site import admin_site
from tenants.models import Invitation, Member, User


class InvitationForm(TenantForm):
    class Meta:
        model = Invitation
        fields = ("tenant", "email", "role")

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        email, tenant = values.get("email"), values.get("tenant")
        if email and tenant and Member.objects.filter(tenant=tenant, user__email__iexact=email).exists():
            self.add_error("email", forms.ValidationError(_("A member of this tenant has this address already.")))
        return values

    def validate_constraints(self) -> None:
        """A second invitation of an address renews the first one."""


@admin.register(Invitation, site=admin_site)
class InvitationAdmin(TenantModelAdmin):
    group = "Settings"
    rank = 21
    icon = "mail"
    in_navigation = False
    viewed_by = edited_by = OWNERS
    can_delete_rows = False
    audited_by_domain = True
    form = InvitationForm
    list_display = ("email", "role", "state", "expires_at")
    list_filter = ("role",)
    search_fields = ("email",)
    ordering = ("-created_at",)
    actions = ("send_again", "revoke")

    @admin.display(description=gettext_lazy("state"))
    def state(self, invitation: Invitation) -> str:
        if invitation.accepted_at:
            return _("accepted")
        if invitation.revoked_at:
            return _("revoked")
        if not invitation.is_open:
            return _("too old")
        return _("mail sent") if invitation.sent_at else _("link not sent")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # an invitation is sent again or revoked, never edited
        return obj is None and super().has_change_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = ("tenant", "email", "role")
        return fields if obj is None else (*fields, "state", "created_at", "sent_at", "expires_at", "accepted_at")

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        stored = members.invite(obj.tenant, obj.email, obj.role, cast(User, request.user))
        obj.pk, obj._state.adding = stored.pk, False
        request.__dict__["notifier_invitation"] = stored

    def response_add(self, request: HttpRequest, obj: Invitation, post_url_continue: str | None = None) -> HttpResponse:
        return self._deliver(request, request.__dict__.pop("notifier_invitation"))

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return may(request, OWNERS)

    @admin.action(description=gettext_lazy("Send again, with a new link"), permissions=["resend"])
    def send_again(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        chosen = [row for row in queryset.select_related("tenant") if may(request, OWNERS, row)]
        if len(chosen) != 1:
            messages.error(request, _("Choose one invitation to send it again."))
            return None
        try:
            members.resend(chosen[0], cast(User, request.user))
        except Conflict as error:
            messages.error(request, error.message)
            return None
        return self._deliver(request, chosen[0])

    @admin.action(description=gettext_lazy("Revoke: the link no longer works"), permissions=["resend"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        user = cast(User, request.user)
        revoked = sum(members.revoke(row, user) for row in queryset if may(request, OWNERS, row))
        text = ngettext("%(count)d invitation was revoked.", "%(count)d invitations were revoked.", revoked)
        messages.success(request, text % {"count": revoked})

    def _deliver(self, request: HttpRequest, invitation: Invitation) -> HttpResponse:
        """Send the mail, or show the link once."""
        back = reverse("admin:tenants_invitation_changelist")
        if members.can_send_mail():
            user = cast(User, request.user)
            if members.send(invitation, user.get_full_name() or user.get_username()):
                messages.success(request, _("The invitation was sent to %(email)s.") % {"email": invitation.email})
                return HttpResponseRedirect(back)
            messages.error(request, _("The mail server did not take the mail. Copy the link and send it yourself."))
        else:
            messages.warning(
                request,
                _("This installation has no mail server of its own (EMAIL_URL). Copy the link and send it yourself."),
            )
        values = {_("link for %(email)s") % {"email": invitation.email}: members.link_of(invitation)}
        return show_once(request, OneTimeSecret(invitation.tenant_id, _("Invitation"), values, back))
