"""The language of the admin: the person's choice (a cookie), else what the browser asks for.

The API is outside: its errors are English whatever a client's HTTP library sends as Accept-Language.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

#: paths whose pages are for the members of tenants
PREFIXES = ("/admin/", "/join/", "/oidc/")


class AdminLanguage(LocaleMiddleware):
    """Django's middleware, for the pages of the admin only."""

    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        self._without = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(PREFIXES):
            # the last page's language may still be that of the thread
            with translation.override(settings.LANGUAGE_CODE):
                return self._without(request)
        answer: Any = super().__call__(request)
        return answer  # type: ignore[no-any-return]
