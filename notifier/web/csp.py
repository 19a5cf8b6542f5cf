"""The Content-Security-Policy of every answer that is not JSON: what a page may load, run and send, and which sites may
frame the page.

Scripts and styles are files of this site. Where a page must have one inline, `nonce="{{ request.csp_nonce }}"` allows
that element and no other; nothing is 'unsafe-inline'. A view that needs a stricter policy sets the header itself. The
answer of a view that frames a page of this site (a preview) has the attribute `frames_own_pages`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

HEADER = "Content-Security-Policy"
_JSON_TYPES = ("application/json", "application/problem+json", "application/vnd.oai.openapi+json")


class ContentSecurityPolicy:
    """The outermost middleware, so that answers of the other middlewares have the header too. Costs 2 µs an answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        nonces: list[str] = []
        request.csp_nonce = SimpleLazyObject(lambda: _new_nonce(nonces))  # type: ignore[attr-defined]
        response = self.get_response(request)
        kind = response.get("Content-Type", "")
        if HEADER not in response and not kind.startswith(_JSON_TYPES):
            response[HEADER] = policy(request, *nonces)
            if getattr(response, "frames_own_pages", False):
                response[HEADER] += "; frame-src 'self'"
            if settings.DEBUG and response.status_code in (404, 500):
                # the styles of Django's own debug pages have no nonce
                response[HEADER] = response[HEADER].replace("style-src 'self'", "style-src 'unsafe-inline' 'self'")
        return response


def policy(request: HttpRequest, nonce: str = "") -> str:
    """The policy of an answer. It has a nonce only if the page used `request.csp_nonce`."""
    inline = f" 'nonce-{nonce}'" if nonce else ""
    # 'self' does not cover WebSockets in every browser
    socket = f"{'wss' if request.is_secure() else 'ws'}://{request.META.get('HTTP_HOST', '')}"
    connect = f"connect-src 'self' {socket}" if _is_host(request.META.get("HTTP_HOST", "")) else "connect-src 'self'"
    return (
        f"default-src 'none'; script-src 'self'{inline}; style-src 'self'{inline}; img-src 'self' data:; "
        f"font-src 'self'; {connect}; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def _is_host(text: str) -> bool:
    # the Host header becomes part of the policy, also in the answer that refuses this host
    return bool(text) and all(c.isascii() and (c.isalnum() or c in ".-:[]") for c in text)


def _new_nonce(nonces: list[str]) -> str:
    nonces.append(secrets.token_urlsafe(16))
    return nonces[-1]
