"""The members of a tenant. One form, for owners and operators, creates a login or adds an existing one.

A new login is called `name@slug-of-the-tenant`. No other tenant can have that login, so the form never reveals to an
owner whether a person has a login elsewhere (docs/decisions/021).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from notifier.values.trim import trimmed
from tenants.admin.base import TenantModelAdmin
from tenants.admin.forms import TenantForm
from tenants.admin.roles import OWNERS, is_platform_operator
from tenants.admin.shown_once import OneTimeSecret, show_once
from tenants.admin.site import admin_site
from tenants.bootstrap import create_user
from tenants.login.backend import find_user_id
from tenants.models import Member, Tenant, User

#: between the name and the slug; no slug contains it
SEPARATOR = "@"
_NEW = "Letters, digits, _, + , . and -. The new login is this name, @ and the tenant's slug; it is shown afterwards."
_OR_EXISTING = f"{_NEW} Or the whole login of an existing user."


class MemberForm(TenantForm):
    """The form of an existing member, which changes the role."""

    class Meta:
        model = Member
        fields = ("tenant", "user", "role")


class NewMemberForm(TenantForm):
    username = forms.CharField(max_length=150, help_text=_NEW)
    email = forms.EmailField(required=False, help_text="For a new login.")
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
    list_display = ("user", "role", "last_login")
    list_filter = ("role",)
    list_select_related = ("tenant", "user")
    search_fields = ("user__username", "user__email")

    @admin.display(description="last login")
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
