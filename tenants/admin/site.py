"""The admin site: sets the scope of the logged-in user, and groups pages by task."""

from __future__ import annotations

from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponse, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifier.vocabulary.status import ConsentSource
from tenants.access import EVERY_TENANT, act_as, set_scope
from tenants.admin.base.hardening import answer_database_errors, refuse_null_characters
from tenants.admin.entry import expired_login
from tenants.admin.entry.account import AccountPages
from tenants.admin.entry.code import code_page
from tenants.admin.entry.join import join_page
from tenants.admin.entry.login import FirstStage
from tenants.admin.entry.setup import setup_page
from tenants.admin.home import load_cards
from tenants.admin.load_shedding import switch_view
from tenants.admin.localization.time_zones import zone_of_page
from tenants.admin.navigation import navigation
from tenants.admin.roles import is_platform_operator, roles_of
from tenants.admin.search.page import find_view
from tenants.admin.shown_once import one_time_page
from tenants.login import lockout, login_sessions
from tenants.models import AuditLog, User

if TYPE_CHECKING:
    # Unfold has no types of its own
    from django.contrib.admin import AdminSite
else:
    from unfold.sites import UnfoldAdminSite as AdminSite


class NotifierAdminSite(AdminSite):
    site_title = "Notifier"
    site_header = "Notifier"
    index_title = _("Home")
    index_template = "admin/index.html"

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Run the view and render its response in one transaction that sees the user's tenants only."""

        def scoped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            with transaction.atomic(), timezone.override(None):
                enter_scope(request)
                timezone.activate(zone_of_page(request))
                response: HttpResponseBase = view(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse):
                    # the template evaluates querysets; outside of the transaction they would find no rows
                    response.render()
            return response

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return refuse_null_characters(request, kwargs) or answer_database_errors(
                request, lambda: scoped(request, *args, **kwargs)
            )

        inner = super().admin_view(update_wrapper(guarded, view), cacheable)

        def logged_in(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            is_logout = request.path == reverse("admin:logout")
            if request.method == "POST" and not request.user.is_authenticated and not is_logout:
                return expired_login.login_page(request, self.each_context(request))
            return inner(request, *args, **kwargs)

        return update_wrapper(logged_in, inner)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The first stage of a login; after the last stage comes the page that offers the form that was sent after the
        last login expired, if any."""
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        signed_form = request.POST.get(expired_login.SIGNED_FORM, "")
        index = reverse("admin:index")
        next_page = {REDIRECT_FIELD_NAME: request.GET.get(REDIRECT_FIELD_NAME) or request.POST.get("next") or index}
        context = {
            **self.each_context(request),
            "title": _("Log in"),
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            expired_login.SIGNED_FORM: signed_form,
            **next_page,
            **(extra_context or {}),
        }
        view = FirstStage.as_view(
            extra_context=context, authentication_form=AdminAuthenticationForm, template_name="admin/login.html"
        )
        request.current_app = self.name
        response = cast(HttpResponse, view(request))
        if request.method != "POST" or response.status_code != 302:
            return response
        if not request.user.is_authenticated:
            # the second stage comes next
            request.session[expired_login.SIGNED_FORM] = signed_form
            return response
        return self.after_login(request, response, signed_form)

    def login_code(self, request: HttpRequest) -> HttpResponse:
        """The second stage of a login."""
        signed_form = str(request.session.get(expired_login.SIGNED_FORM, ""))
        response = code_page(request)
        if request.method != "POST" or not request.user.is_authenticated:
            return response
        request.session.pop(expired_login.SIGNED_FORM, None)
        return self.after_login(request, response, signed_form)

    def after_login(self, request: HttpRequest, response: HttpResponse, signed_form: str) -> HttpResponse:
        """The response to a login, or the page that offers the form that was typed before."""
        lockout.mark_browser_known(response, request.user.get_username())
        # roles that were read before the login: none
        request.__dict__.pop("notifier_roles", None)
        if not signed_form:
            return response
        return expired_login.offer_form(request, self.each_context(request), signed_form) or response

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Django's page. The new password has ended every session in the list but this one."""
        response = super().password_change(request, extra_context)
        if request.method == "POST" and response.status_code == 302 and isinstance(request.user, User):
            login_sessions.record_login(self, request, request.user)
        return response

    def get_urls(self) -> list[Any]:
        """Without Django's "view on site", because no row has a page outside of the admin, and without Unfold's search,
        which keeps results in a cache for whoever searches next."""
        own = [
            path("shown-once/<str:token>/", self.admin_view(one_time_page), name="shown_once"),
            path("login/code/", self.login_code, name="login_code"),
            path("login/setup/", setup_page, name="login_setup"),
            path("join/<str:token>/", join_page, name="join"),
            path("oidc/begin/", _oidc("Begin"), name="oidc_begin"),
            path("oidc/callback/", _oidc("Callback"), name="oidc_callback"),
            *AccountPages(self.each_context).addresses(self.admin_view),
            path("load-shedding/", self.admin_view(switch_view), name="load_shedding"),
            path("find/", self.admin_view(partial(find_view, site=self)), name="find"),
        ]
        left_out = ("view_on_site", "search")
        return [*own, *(url for url in super().get_urls() if getattr(url, "name", "") not in left_out)]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """With the main menu and the search box."""
        context = super().each_context(request)
        apps = context["available_apps"]
        menu = navigation(apps, self._registry, request.path, reverse("admin:index"))
        links = [{"url": reverse("admin:account"), "title": _("Your login")}]
        find_url = reverse("admin:find") if apps else ""
        return {
            **context,
            "navigation": menu,
            "find_url": find_url,
            "user_links": links,
            "languages": settings.LANGUAGES,
        }

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The home page: its cards, and the user's latest changes from the audit log."""
        latest = AuditLog.objects.filter(user_id=request.user.pk or 0).order_by("-id")[:10]
        return super().index(request, {**(extra_context or {}), "latest": latest, "cards": load_cards(request)})


def _oidc(name: str) -> Any:
    """A view of the login by OIDC. Its client is imported at the first use: few installations use it."""

    def view(request: HttpRequest) -> HttpResponseBase:
        from tenants.admin.entry import oidc

        answer: HttpResponseBase = getattr(oidc, name).as_view()(request)
        return answer

    return view


def enter_scope(request: HttpRequest) -> None:
    """Set what row-level security lets this request see: an operator all tenants, a member theirs, others none."""
    # the user may have been read in an earlier transaction, with which the setting of `act_as` has ended
    act_as(request.user.pk)
    set_scope(EVERY_TENANT if is_platform_operator(request) else roles_of(request), ConsentSource.ADMIN)
    login_sessions.record_use(request)


admin_site = NotifierAdminSite(name="admin")
