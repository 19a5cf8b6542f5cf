"""The page behind the link of an invitation: a new person sets a name and a password, another one joins with the login
that is there already. The page never says whether the mail address has a login elsewhere."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, login, logout
from django.contrib.auth.password_validation import password_validators_help_text_html, validate_password
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from notifier.errors import Conflict
from tenants import members
from tenants.access import act_as
from tenants.admin.entry.login import PASSWORD_BACKEND, second_stage
from tenants.bootstrap import create_person
from tenants.login import login_sessions, stages
from tenants.login.backend import find_user_id
from tenants.models import Invitation, LoginSession, User

#: the session's entry that lets the OIDC login make a user for an invited person
JOINING = "joining"


class JoinForm(forms.Form):
    """A new person. `username` is the part before the tenant's slug."""

    full_name = forms.CharField(label=gettext_lazy("Your name"), max_length=150)
    username = forms.CharField(label=gettext_lazy("Login name"), max_length=100)
    password = forms.CharField(
        label=gettext_lazy("Password"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), strip=False
    )
    again = forms.CharField(
        label=gettext_lazy("The password again"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
    )

    def __init__(self, invitation: Invitation, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invitation = invitation
        self.fields["password"].help_text = password_validators_help_text_html()

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "username" in values:
            self._check_username(values)
        if "password" in values and values.get("again") != values["password"]:
            self.add_error("again", _("The two passwords differ."))
        elif "password" in values:
            person = User(
                username=values.get("username", ""),
                email=self.invitation.email,
                first_name=values.get("full_name", "")[:150],
            )
            try:
                validate_password(values["password"], person)
            except forms.ValidationError as error:
                self.add_error("password", error)
        return values

    def _check_username(self, values: dict[str, Any]) -> None:
        from tenants.admin.pages.members import new_login

        try:
            values["login"] = new_login(values["username"].strip(), self.invitation.tenant)
        except forms.ValidationError as error:
            self.add_error("username", error)
            return
        if find_user_id(values["login"]) is not None:
            self.add_error("username", _("This tenant has a login of this name already; choose another."))


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@transaction.atomic
def join_page(request: HttpRequest, token: str) -> HttpResponse:
    """The page. A logged-in user joins with one click."""
    user = request.user if isinstance(request.user, User) else None
    if user is not None:
        act_as(user.pk)
    invitation = None if "\0" in token else members.find_open(token)
    if invitation is None:
        return render(request, "admin/access/join_gone.html", {"title": _("This link does not work")}, status=410)
    request.session[JOINING] = token
    if request.method != "POST":
        return _page(request, invitation)
    if user is not None:
        return _join(request, invitation, user)
    return _create(request, invitation)


def _join(request: HttpRequest, invitation: Invitation, user: User) -> HttpResponse:
    try:
        members.accept(invitation, user)
    except Conflict as error:
        return _page(request, invitation, error=error.message)
    request.session.pop(JOINING, None)
    if stages.next_stage(user) is stages.Stage.SETUP and not user.provider_second_factor:
        return _log_in_again(request, user)
    return HttpResponseRedirect(reverse("admin:index"))


def _log_in_again(request: HttpRequest, user: User) -> HttpResponse:
    """The tenant asks for a second factor, and the user's sessions began without one: end them, and lead to the set-up,
    which ends the login of this browser."""
    backend = request.session[BACKEND_SESSION_KEY]
    login_sessions.end_sessions(LoginSession.objects.filter(user=user))
    logout(request)
    stages.begin(request, user, reverse("admin:index"), backend)
    return HttpResponseRedirect(reverse("admin:login_setup"))


def _create(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    form = JoinForm(invitation, request.POST)
    if not form.is_valid():
        return _page(request, invitation, form, status=400)
    values = form.cleaned_data
    try:
        with transaction.atomic():
            user = create_person(values["login"], invitation.email, values["password"], values["full_name"])
            members.accept(invitation, user)
    except (Conflict, IntegrityError):
        return _page(request, invitation, error=_("Another request used this invitation or this name. Try again."))
    request.session.pop(JOINING, None)
    if (page := second_stage(request, user, reverse("admin:index"), PASSWORD_BACKEND)) is not None:
        return page
    login(request, user, backend=PASSWORD_BACKEND)
    return HttpResponseRedirect(reverse("admin:index"))


def _page(
    request: HttpRequest, invitation: Invitation, form: JoinForm | None = None, *, error: str = "", status: int = 200
) -> HttpResponse:
    local_part = "".join(c for c in invitation.email.partition("@")[0] if c.isalnum() or c in "_+.-")
    context: dict[str, Any] = {
        "title": _("Join %(tenant)s") % {"tenant": invitation.tenant.name},
        "invitation": invitation,
        "form": form or JoinForm(invitation, initial={"username": local_part}),
        "error": error,
        "login_url": f"{reverse('admin:login')}?next={request.path}",
        "oidc_name": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
    }
    return render(request, "admin/access/join.html", context, status=409 if error else status)
