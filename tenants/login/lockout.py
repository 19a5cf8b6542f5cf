"""Whoever guesses passwords must wait: django-axes with limits of our own, for the login form and every other door.

Two limits, each over the last 15 minutes: so many failures of one name from one address, and more of one name from all
addresses. Names that nobody has count as others do, so that a refusal tells nothing. What was typed is not stored:
a name becomes a keyed digest, and no form is kept.

Nobody can keep a person out for good. Refused attempts are not counted, so a lock ends by itself. A browser in which
the person has logged in before carries a signed cookie and has a limit of its own; guesses made elsewhere do not count
against it (OWASP: device cookies).
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from axes.handlers.base import AbstractAxesHandler, AxesBaseHandler
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

#: failures of one name from one address or known browser, and from everywhere, within WINDOW
LIMIT_HERE, LIMIT_EVERYWHERE = 10, 100
WINDOW = timedelta(minutes=15)
COOKIE, COOKIE_SECONDS = "notifier_known", 180 * 24 * 3600
_SALT = "tenants.login.lockout"
log = structlog.get_logger("tenants.login.lockout")

# one statement each, so that parallel guesses are all counted
_COUNT = """
INSERT INTO axes_accessattempt AS a (username, ip_address, user_agent, attempt_time, failures_since_start,
  http_accept, path_info, get_data, post_data)
VALUES (%(name)s, %(address)s, %(browser)s, now(), 1, '', '', '', '')
ON CONFLICT (username, ip_address, user_agent) DO UPDATE SET attempt_time = now(), failures_since_start =
  CASE WHEN a.attempt_time <= now() - %(window)s THEN 1 ELSE a.failures_since_start + 1 END
"""
_FAILURES = """
SELECT coalesce(sum(failures_since_start) FILTER (WHERE {here}), 0), coalesce(sum(failures_since_start), 0),
  coalesce(ceil(extract(epoch FROM max(attempt_time) - now() + %(window)s)), 0)
FROM axes_accessattempt WHERE username = %(name)s AND attempt_time > now() - %(window)s
"""
_HERE = "user_agent = %(browser)s AND (%(browser)s <> '' OR ip_address = %(address)s)"


class Lockout(AbstractAxesHandler, AxesBaseHandler):  # type: ignore[misc]
    """What settings.AXES_HANDLER names."""

    def is_locked(self, request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> bool:
        return seconds_locked(request, _typed_name(credentials)) > 0

    def get_failures(self, request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> int:
        return _count_failures(_query_values(request, _typed_name(credentials)))[0]

    def user_login_failed(self, sender: Any, credentials: Any, request: HttpRequest | None = None, **_: Any) -> None:
        if request is None:
            return
        name = _typed_name(credentials)
        if not seconds_locked(request, name):
            with connection.cursor() as cursor:
                cursor.execute(_COUNT, _query_values(request, name))
            log.info("login failed", action="login.failed")
            return
        # what is refused is not counted
        request.axes_locked_out = True  # type: ignore[attr-defined]
        request.axes_credentials = credentials  # type: ignore[attr-defined]
        log.warning("login refused", action="login.locked")

    def user_logged_in(self, sender: Any, request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
        """Forget the failures of this browser or address, and of no other."""
        with connection.cursor() as cursor:
            forget = f"DELETE FROM axes_accessattempt WHERE username = %(name)s AND {_HERE}"
            cursor.execute(forget, _query_values(request, user.get_username()))

    def user_logged_out(self, sender: Any, request: HttpRequest, user: Any, **_: Any) -> None:
        """Nothing to forget."""

    def post_save_access_attempt(self, instance: Any, **_: Any) -> None:
        """Nothing more is kept."""

    def post_delete_access_attempt(self, instance: Any, **_: Any) -> None:
        """Nothing more was kept."""

    def reset_attempts(
        self, *, ip_address: str | None = None, username: str | None = None, ip_or_username: bool = False
    ) -> int:
        """For `manage.py axes_reset`, `axes_reset_username NAME` and `axes_reset_ip ADDRESS`."""
        wanted = {
            "username": username and name_digest(username),
            "ip_address": ip_address and _address_group(ip_address),
        }
        given = {column: value for column, value in wanted.items() if value}
        which = (" OR " if ip_or_username else " AND ").join(f"{column} = %({column})s" for column in given) or "true"
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM axes_accessattempt WHERE {which}", given)
            return int(cursor.rowcount)


def seconds_locked(request: HttpRequest, name: str) -> int:
    """Seconds for which this name is not let in from here; 0: it may try."""
    asked = _query_values(request, name)
    here, everywhere, seconds = _count_failures(asked)
    is_known = bool(asked["browser"])
    return max(1, seconds) if here >= LIMIT_HERE or (everywhere >= LIMIT_EVERYWHERE and not is_known) else 0


def locked_out_page(request: HttpRequest, original: HttpResponse | None, credentials: Any) -> HttpResponse:
    """The page in place of the form."""
    seconds = seconds_locked(request, _typed_name(credentials)) or 1
    shown = {"title": "Too many attempts", "minutes": -(-seconds // 60)}
    page = render(request, "admin/locked_out.html", shown, status=429)
    page["Retry-After"] = str(seconds)
    return page


def mark_browser_known(response: HttpResponse, name: str) -> None:
    """Give the browser in which this person has just logged in its cookie."""
    response.set_signed_cookie(
        COOKIE,
        f"{name_digest(name)}:{secrets.token_urlsafe(12)}",
        salt=_SALT,
        max_age=COOKIE_SECONDS,
        path="/admin/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def delete_expired() -> int:
    """Remove what no longer counts."""
    over: dict[str, Any] = {"window": WINDOW}
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM axes_accessattempt WHERE attempt_time <= now() - %(window)s", over)
        return int(cursor.rowcount)


def name_digest(name: str) -> str:
    """What is stored of a name: whoever reads the table cannot read what was typed."""
    return hmac.digest(settings.SECRET_KEY.encode(), b"tenants.login.lockout:" + name.encode(), "sha256").hex()


def _query_values(request: HttpRequest, name: str) -> dict[str, Any]:
    digest = name_digest(name)
    known = request.get_signed_cookie(COOKIE, "", salt=_SALT, max_age=COOKIE_SECONDS) or ""
    whose, _, browser = known.partition(":")
    address = _address_group(str(request.META.get("REMOTE_ADDR", "")))
    return {"name": digest, "address": address, "browser": browser if whose == digest else "", "window": WINDOW}


def _count_failures(asked: Mapping[str, Any]) -> tuple[int, int, int]:
    """From here, from everywhere, and the seconds until they no longer count."""
    with connection.cursor() as cursor:
        cursor.execute(_FAILURES.format(here=_HERE), asked)
        here, everywhere, seconds = cursor.fetchone()
    return int(here), int(everywhere), int(seconds)


def _typed_name(credentials: Mapping[str, Any] | None) -> str:
    return str((credentials or {}).get("username") or "").encode(errors="replace").decode()


def _address_group(text: str) -> str:
    """The address that counts: of IPv6 the /64, which one client has whole. A socket without an address is one."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "::"
    if isinstance(address, ipaddress.IPv4Address):
        return text
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False).network_address)
