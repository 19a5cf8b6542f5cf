"""All addresses. With asgi and settings this module is the composition root, which alone names the apps above the
engine."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.urls import include, path
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView
from django.views.i18n import set_language

from notifier.api.framework.errors import Problem, current_problem, problem_response
from notifier.api.framework.guard import PREFIX
from notifier.delivery.content.images import PATH as IMAGES
from notifier.delivery.content.links import browser_link, opt_in_link, preferences_link, unsubscribe_link
from notifier.delivery.content.tracking import tracked_link
from notifier.web import health
from notifier.web.database_away import unavailable_page
from notifier.web.links import tracking
from notifier.web.links.images import image
from notifier.web.links.opt_in import ConfirmOptIn
from notifier.web.links.unsubscribe import Unsubscribe
from notifier.web.links.view_in_browser import view_in_browser
from notifier.web.preferences import PreferencesPage
from notifier.web.status import status_page
from notifier.web.status.page import PATH as STATUS
from tenants.admin.site import admin_site


@csrf_exempt
def not_found(request: HttpRequest, rest: str = "") -> HttpResponse:
    """A problem document, also in debug mode, where Django would show a page."""
    return problem_response(
        Problem(404, "not_found", f"There is nothing at this address.{_hint(request.path_info)}"), request
    )


def _hint(path: str) -> str:
    """The most frequent mistakes in an address that leads nowhere."""
    if path.endswith("/"):
        return " Addresses of the API end without a slash."
    if path.startswith(f"{PREFIX}recipients/"):
        return " A slash in an id is written %2F."
    return ""


def server_error(request: HttpRequest) -> HttpResponse:
    """Answers an unexpected exception: a problem document under /v1/, a page elsewhere."""
    if request.path.startswith(PREFIX):
        return problem_response(current_problem(), request)
    return unavailable_page(sys.exc_info()[1]) or defaults.server_error(request)


urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    # browsers request this address on every page
    path("favicon.ico", RedirectView.as_view(url=static("favicon.svg"))),
    path("healthz", health.alive),
    path("readyz", health.ready),
    path(f"{unsubscribe_link.PATH}<str:token>", Unsubscribe.as_view()),
    path(f"{preferences_link.PATH}<str:token>", PreferencesPage.as_view()),
    path(f"{STATUS}<slug:slug>", status_page),
    path(f"{browser_link.PATH}<str:token>", view_in_browser),
    path(f"{IMAGES}<str:tenant>/<str:name>", image),
    path(f"{opt_in_link.PATH}<str:token>", ConfirmOptIn.as_view()),
    path(f"{tracked_link.CLICK}<str:token>", tracking.click),
    path(f"{tracked_link.CLICK}<str:token>/<str:delivery>", tracking.click),
    path(f"{tracked_link.OPEN}<str:token>", tracking.opened),
    path(f"{tracked_link.OPEN}<str:token>/<str:delivery>", tracking.opened),
    path("admin/language", set_language, name="set_language"),
    path("admin/", admin_site.urls),
    path("v1/", include("notifier.api.people.urls")),
    path("v1/", include("notifier.api.urls")),
    path("v1/", include("notifier.api.webhooks.urls")),
    path("v1/", include("notifier.receipts.urls")),
    path("", include("campaigns.api")),
    path("", include("inbox.http.api")),
    path("", include("inbox.http.push_api")),
    path("", include("inbox.http.preferences_api")),
    path("", include("inbox.http.demo_page")),
    path("v1/", not_found),
    path("v1/<path:rest>", not_found),
]
handler500 = server_error
