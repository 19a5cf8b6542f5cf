"""All addresses. With asgi and settings the composition root: it alone names the apps above the engine."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views import defaults
from django.views.generic import RedirectView

from notifier import health
from notifier.api.errors import Problem, current, respond
from notifier.api.guard import PREFIX
from tenants.admin.site import admin_site

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("admin/", admin_site.urls),
    path("v1/", include("tenants.api.urls")),
    path("v1/", include("notifier.api.urls")),
    path("", include("campaigns.api")),
    path("", include("inbox.api")),
    path("", include("inbox.views")),
]


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A problem for programs, a page for people."""
    if request.path.startswith(PREFIX):
        return respond(Problem(404, "not_found", "There is nothing at this address."), request)
    return defaults.page_not_found(request, exception)


def failed(request: HttpRequest) -> HttpResponse:
    """The same for what nobody foresaw."""
    if request.path.startswith(PREFIX):
        return respond(current(), request)
    return defaults.server_error(request)


handler404 = not_found
handler500 = failed
