"""The page "Test connection" of a provider account: the button, and what the last test found out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods

from notifier.delivery.accounts import connection_test
from notifier.models import ProviderAccount
from notifier.tasks import request_test
from tenants.admin.roles import OPERATORS, may

if TYPE_CHECKING:
    from tenants.admin import TenantModelAdmin as _Page
else:
    _Page = object

NAME = "notifier_provideraccount_test"
#: seconds after which the page looks again for the result
REFRESH = "2"


class AccountTest(_Page):
    """Mixin of ProviderAccountAdmin. Accounts of the sandbox can be tested, too."""

    change_form_template = "admin/notifier/provideraccount/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_http_methods(["GET", "HEAD", "POST"])(self.test_view))
        return [path("<path:object_id>/test/", view, name=NAME), *super().get_urls()]

    def test_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        account = self.get_object(request, unquote(object_id))
        if account is None:
            raise Http404("There is no such account.")
        if not self.has_view_permission(request, account):
            raise PermissionDenied
        if request.method == "POST":
            return self._start(request, account)
        running = connection_test.is_running(account, datetime.now(UTC))
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": f"Test of {account}",
            "account": account,
            "checks": connection_test.checks_of(account),
            "running": running,
            "may_test": may(request, OPERATORS, account),
        }
        response = TemplateResponse(request, "admin/notifier/provideraccount/test.html", context)
        if running:
            response["Refresh"] = REFRESH
        return response

    def _start(self, request: HttpRequest, account: ProviderAccount) -> HttpResponse:
        if not may(request, OPERATORS, account):
            raise PermissionDenied
        if not connection_test.is_running(account, datetime.now(UTC)) and not request_test(account):
            messages.error(request, "No test begins, because the queue of tasks is away. Try again in a moment.")
        return HttpResponseRedirect(reverse(f"admin:{NAME}", args=[account.pk]))
