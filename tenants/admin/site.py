"""The admin site: sets the scope of the logged-in user, and groups pages by what people come to do."""

from __future__ import annotations

from functools import update_wrapper
from typing import Any

from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponse, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from tenants.access import EVERY_TENANT, act_as, set_scope
from tenants.admin import expired_login
from tenants.admin.hardening import answer_database_errors, refuse_null_characters
from tenants.admin.roles import is_operator, roles_of
from tenants.admin.shown_once import one_time_page
from tenants.admin.time_zones import zone_of_page
from tenants.login import lockout
from tenants.models import AuditLog

#: the order of the index; a page says which group it is in by `TenantModelAdmin.group`
GROUPS = ("Campaigns", "Content", "People", "What was sent", "Set-up", "Operations")


class NotifierAdminSite(AdminSite):
    site_title = "Notifier"
    site_header = "Notifier"
    index_title = "What would you like to do?"
    index_template = "admin/notifier_index.html"

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Run the view, and render what it answers, in one transaction that sees the user's tenants only."""

        def scoped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            with transaction.atomic(), timezone.override(None):
                enter_scope(request)
                timezone.activate(zone_of_page(request))
                response: HttpResponseBase = view(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse):
                    # querysets are evaluated by the template; outside the transaction they would find nothing
                    response.render()
            return response

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return refuse_null_characters(request, kwargs) or answer_database_errors(
                request, lambda: scoped(request, *args, **kwargs)
            )

        inner = super().admin_view(update_wrapper(guarded, view), cacheable)

        def logged_in(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            leaves = request.path == reverse("admin:logout")
            if request.method == "POST" and not request.user.is_authenticated and not leaves:
                return expired_login.login_page(request, self.each_context(request))
            return inner(request, *args, **kwargs)

        return update_wrapper(logged_in, inner)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Django's; afterwards what was typed before the login expired, if anything was."""
        kept = request.POST.get(expired_login.SIGNED_FORM, "")
        answer = super().login(request, {**(extra_context or {}), expired_login.SIGNED_FORM: kept})
        if request.method == "POST" and answer.status_code == 302 and request.user.is_authenticated:
            lockout.mark_browser_known(answer, request.user.get_username())
        if not kept or answer.status_code != 302:
            return answer
        # those of nobody, read before the login
        request.__dict__.pop("notifier_roles", None)
        return expired_login.offer_form(request, self.each_context(request)) or answer

    def get_urls(self) -> list[Any]:
        """Without Django's "view on site": none of our rows has a page outside the admin."""
        ours = path("shown-once/<str:token>/", self.admin_view(one_time_page), name="shown_once")
        return [ours, *(url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site")]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Groups of what people do instead of Python packages; one package only when it is asked for by name."""
        apps = super().get_app_list(request, app_label)
        if app_label:
            return apps
        groups: dict[str, list[Any]] = {name: [] for name in GROUPS}
        for page in (page for app in apps for page in app["models"]):
            name = getattr(self._registry[page["model"]], "group", GROUPS[-1])
            groups.setdefault(name, []).append(page)
        return [_group(name, self._in_order(pages)) for name, pages in groups.items() if pages]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The index, with the user's own latest steps from the audit log."""
        mine = AuditLog.objects.filter(user_id=request.user.pk or 0).order_by("-id")[:10]
        return super().index(request, {**(extra_context or {}), "latest": mine})

    def _in_order(self, pages: list[Any]) -> list[Any]:
        return sorted(pages, key=lambda page: (getattr(self._registry[page["model"]], "rank", 50), page["name"]))


def _group(name: str, pages: list[Any]) -> dict[str, Any]:
    label = name.lower().replace(" ", "-")
    url = f"{reverse('admin:index')}#{label}"
    return {"name": name, "app_label": label, "app_url": url, "has_module_perms": True, "models": pages}


def enter_scope(request: HttpRequest) -> None:
    """What row-level security lets this request see: an operator all, a member their tenants, others nothing."""
    # the user may have been read in an earlier transaction, with which that setting has ended
    act_as(request.user.pk)
    set_scope(EVERY_TENANT if is_operator(request) else roles_of(request))


admin_site = NotifierAdminSite(name="admin")
