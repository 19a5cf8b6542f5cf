"""The members of a tenant. One form, for owners and operators, creates a login or adds an existing one.

A new login is called `name@slug-of-the-tenant`. No other tenant can have that login, so the form never reveals to an
owner whether a person has a login elsewhere (docs/decisions/021).
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from notifier.errors import Conflict
from notifier.values.trim import trimmed
from notifier.vocabulary.ids import parse_id
from tenants import members
from tenants.admin.audit_entries import record_change
from tenants.admin.base.forms import TenantForm
from tenants.admin.base.model_admin import TenantModelAdmin
from tenants.admin.base.visibility import visible_rows
from tenants.admin.roles import OWNERS, is_platform_operator, may
from tenants.admin.shown_once import OneTimeSecret, show_once
from tenants.admin.site import admin_site
from tenants.bootstrap import create_user
from tenants.login import login_sessions, second_factor
from tenants.login.backend import find_user_id
from tenants.models import Invitation, LoginSession, Member, Tenant, User

#: between the name and the slug; no slug contains it
SEPARATOR = "@"
_NEW = "Letters, digits, _, + , . and -. The new login is this name, @ and the tenant's slug; it is shown afterwards."
_OR_EXISTING = f"{_NEW} Or the whole login of an existing user."


class MemberForm(TenantForm):
    """The form of an existing member, which changes the role."""

    class Meta:
        model = Member
        fields = ("tenant", "user", "role")

    def clean_role(self) -> str:
        role = str(self.cleaned_data["role"])
        before = str(self.initial.get("role", ""))
        if self.instance.pk and before == Member.Role.OWNER and role != before:
            try:
                members.check_owner_remains(self.instance.tenant_id, [self.instance.pk])
            except Conflict as error:
                raise forms.ValidationError(error.message) from error
        return role


class NewMemberForm(TenantForm):
    username = forms.CharField(max_length=150, help_text=_NEW)
    email = forms.EmailField(required=False, help_text=_("For a new login."))
    #: set by the page; an operator may add every existing login
    by_operator = False

    class Meta:
        model = Member
        fields = ("tenant", "role")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.by_operator:
            self.fields["username"].help_text = _OR_EXISTING

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        name, tenant = trimmed(values.get("username", "")), values.get("tenant")
        if name and tenant and not self.errors:
            try:
                self._choose_login(name, tenant)
            except forms.ValidationError as error:
                self.add_error("username", error)
        return values

    def _choose_login(self, name: str, tenant: Tenant) -> None:
        """Set the member's user to an existing one, or the username to that of a new login of this tenant."""
        user_id = find_user_id(name) if self.by_operator else None
        if user_id is not None:
            user = User.objects.get(pk=user_id)
            _check_joinable(user, tenant)
            self.instance.user = user
            return
        login = new_login(name, tenant)
        if find_user_id(login) is not None:
            raise forms.ValidationError(
                "Your tenant has a login of this name already; choose another, or ask an operator to add that user."
            )
        self.cleaned_data["username"] = login


def new_login(name: str, tenant: Tenant) -> str:
    """The username of a new member. It depends on this tenant only. Raises ValidationError."""
    if SEPARATOR in name:
        raise forms.ValidationError(f"Give the name without {SEPARATOR}; the tenant's slug is added to it.")
    login = f"{name}{SEPARATOR}{tenant.slug}"
    longest = User._meta.get_field("username").max_length or 0
    if len(login) > longest:
        raise forms.ValidationError(f"With the tenant's slug, a login has at most {longest} characters; shorten it.")
    User.username_validator(login)
    return login


def _check_joinable(user: User, tenant: Tenant) -> None:
    """Raise ValidationError for an inactive user or a member."""
    if not user.is_active:
        raise forms.ValidationError("This login is inactive; make it active first, on its page under Users.")
    if Member.objects.filter(tenant=tenant, user=user).exists():
        raise forms.ValidationError("This user is a member already.")


@admin.register(Member, site=admin_site)
class MemberAdmin(TenantModelAdmin):
    group = "Settings"
    icon = "group"
    rank = 20
    edited_by = OWNERS
    form = MemberForm
    list_display = ("user", "role", "second_factor", "last_login", "login_page")
    list_filter = ("role",)
    list_select_related = ("tenant", "user")
    search_fields = ("user__username", "user__email")

    @admin.display(description=_("two-factor login"), boolean=True)
    def second_factor(self, member: Member) -> bool:
        return bool(getattr(member, "has_factor", False))

    @admin.display(description=_("login"))
    def login_page(self, member: Member) -> str:
        return format_html(
            '<a href="{}" aria-label="{}">{}</a>',
            reverse("admin:tenants_member_login", args=[member.pk]),
            _("Sessions and second factor of %(name)s") % {"name": member.user},
            _("Sessions"),
        )

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        invitations = Invitation.objects.filter(accepted_at=None, revoked_at=None)
        context = {"waiting": visible_rows(invitations, request).count(), "may_invite": may(request, OWNERS)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> Any:
        has_factor = RawSQL("user_id IN (SELECT f.user_id FROM users_with_second_factor() f)", ())
        return super().get_queryset(request).annotate(has_factor=has_factor)

    @admin.display(description=_("last login"))
    def last_login(self, member: Member) -> datetime | None:
        return member.user.last_login

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None:
            return super().get_form(request, obj, change, **kwargs)
        form = super().get_form(request, obj, change, form=NewMemberForm, **kwargs)
        return type("NewMember", (form,), {"by_operator": is_platform_operator(request)})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("tenant", "user", "role") if obj is not None else ("tenant", "username", "email", "role")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("tenant", "user") if obj is not None else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # a member cannot lock themself out
        is_self = obj is not None and getattr(obj, "user_id", None) == request.user.pk
        return super().has_delete_permission(request, obj) and (is_platform_operator(request) or not is_self)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Refuses to remove the last owner."""
        rows, counts, lacking, reasons = super().get_deleted_objects(objs, request)
        for tenant_id in {member.tenant_id for member in objs}:
            try:
                members.check_owner_remains(tenant_id, [m.pk for m in objs if m.tenant_id == tenant_id])
            except Conflict as error:
                reasons.append(error.message)
        return rows, counts, lacking, reasons

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path("<uuid:pk>/login/", wrap(self.login_view), name="tenants_member_login"),
            path("<uuid:pk>/reset-factor/", wrap(require_POST(self.reset_view)), name="tenants_member_reset_factor"),
            path("<uuid:pk>/end-sessions/", wrap(require_POST(self.end_view)), name="tenants_member_end_sessions"),
        ]
        return [*own, *super().get_urls()]

    def login_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """A member's sessions and second factor, for owners."""
        member = self._owned(request, pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Login of %(name)s") % {"name": member.user},
            "opts": self.opts,
            "original": member,
            "has_factor": member.has_factor,
            "sessions": list(LoginSession.objects.filter(user_id=member.user_id).order_by("-last_used_at")[:50]),
        }
        return TemplateResponse(request, "admin/access/member.html", context)

    def reset_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Take the second factor off a member's login."""
        member = self._owned(request, pk)
        if second_factor.reset(member.user_id):
            record_change(request, member, "second_factor_reset")
            messages.success(request, _("The second factor was taken off, and every session of this login was ended."))
        else:
            messages.error(
                request, _("This login also opens other tenants or the whole site; ask a platform operator to do it.")
            )
        return HttpResponseRedirect(reverse("admin:tenants_member_login", args=[pk]))

    def end_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """End one session of a member, or all of them."""
        member = self._owned(request, pk)
        sessions = LoginSession.objects.filter(user_id=member.user_id)
        if (one := parse_id(request.POST.get("session"))) is not None:
            sessions = sessions.filter(pk=one)
        ended = login_sessions.end_sessions(sessions)
        if ended:
            record_change(request, member, "sessions_ended")
        text = ngettext("%(count)d session was ended.", "%(count)d sessions were ended.", ended)
        messages.success(request, text % {"count": ended})
        return HttpResponseRedirect(reverse("admin:tenants_member_login", args=[pk]))

    def _owned(self, request: HttpRequest, pk: uuid.UUID) -> Any:
        """The member, for an owner of the member's tenant."""
        member = get_object_or_404(self.get_queryset(request).select_related("user", "tenant"), pk=pk)
        if not may(request, OWNERS, member):
            raise PermissionDenied
        return member

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        try:
            with transaction.atomic():
                return super().add_view(request, form_url, extra_context)
        except IntegrityError:
            self.message_user(request, "Another request added the same user at the same time.", messages.ERROR)
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: Member, form: Any, change: bool) -> None:
        if not change and obj.user_id is None:
            obj.user, password = create_user(form.cleaned_data["username"], form.cleaned_data["email"])
            request.__dict__["notifier_password"] = password
        elif not change and not obj.user.is_staff:
            # an existing user who could not log in to the admin
            User.objects.filter(pk=obj.user_id).update(is_staff=True)
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Member, post_url_continue: str | None = None) -> HttpResponse:
        password = request.__dict__.pop("notifier_password", "")
        if password:
            values = {"username": obj.user.username, "password": password}
            back = reverse("admin:tenants_member_changelist")
            return show_once(request, OneTimeSecret(obj.tenant_id, "New member", values, back))
        return super().response_add(request, obj, post_url_continue)
