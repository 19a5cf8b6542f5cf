"""Limits on guessing passwords: django-axes with limits of our own, for the login form and every other way to log in.

There are two limits, each over the last 15 minutes: failures for one username from one address, and a larger one for
one username from all addresses. Usernames that do not exist are counted too, so that a refusal reveals nothing. The
table does not hold what was typed: it holds a keyed digest of the username, and no form.

No attacker can keep a user out for good. Refused attempts are not counted, so a lock ends by itself. A browser in which
the user has logged in before carries a signed cookie and has a limit of its own; guesses from elsewhere do not count
against that limit (OWASP: device cookies).
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from axes.handlers.base import AbstractAxesHandler, AxesBaseHandler
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

#: failures of one username within WINDOW: from one address or known browser, and from everywhere
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
    """Named by settings.AXES_HANDLER."""

    def is_locked(self, request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> bool:
        return seconds_locked(request, _typed_name(credentials)) > 0

    def get_failures(self, request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> int:
        return _count_failures(_query_values(request, _typed_name(credentials))).here

    def user_login_failed(self, sender: Any, credentials: Any, request: HttpRequest | None = None, **_: Any) -> None:
        if request is None:
            return
        name = _typed_name(credentials)
        if not seconds_locked(request, name):
            with connection.cursor() as cursor:
                cursor.execute(_COUNT, _query_values(request, name))
            log.info("login failed", action="login.failed")
            return
        # a refused attempt is not counted
        request.axes_locked_out = True  # type: ignore[attr-defined]
        request.axes_credentials = credentials  # type: ignore[attr-defined]
        log.warning("login refused", action="login.locked")

    def user_logged_in(self, sender: Any, request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
        """Delete the failures from this browser or address, and from no other."""
        with connection.cursor() as cursor:
            delete = f"DELETE FROM axes_accessattempt WHERE username = %(name)s AND {_HERE}"
            cursor.execute(delete, _query_values(request, user.get_username()))

    def user_logged_out(self, sender: Any, request: HttpRequest, user: Any, **_: Any) -> None:
        """Nothing to do."""

    def post_save_access_attempt(self, instance: Any, **_: Any) -> None:
        """Nothing to do."""

    def post_delete_access_attempt(self, instance: Any, **_: Any) -> None:
        """Nothing to do."""

    def reset_attempts(
        self, *, ip_address: str | None = None, username: str | None = None, ip_or_username: bool = False
    ) -> int:
        """For `manage.py axes_reset`, `axes_reset_username NAME` and `axes_reset_ip ADDRESS`."""
        values = {}
        if username:
            values["username"] = name_digest(username)
        if ip_address:
            values["ip_address"] = _address_group(ip_address)
        condition = (" OR " if ip_or_username else " AND ").join(f"{column} = %({column})s" for column in values)
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM axes_accessattempt WHERE {condition or 'true'}", values)
            return int(cursor.rowcount)


def seconds_locked(request: HttpRequest, name: str) -> int:
    """For how many more seconds this username is refused from this browser or address; 0 when it may try."""
    values = _query_values(request, name)
    failures = _count_failures(values)
    is_known = bool(values["browser"])
    is_locked = failures.here >= LIMIT_HERE or (failures.everywhere >= LIMIT_EVERYWHERE and not is_known)
    return max(1, failures.seconds) if is_locked else 0


def locked_out_page(request: HttpRequest, original: HttpResponse | None, credentials: Any) -> HttpResponse:
    """The page that is shown in place of the login form."""
    seconds = seconds_locked(request, _typed_name(credentials)) or 1
    context = {"title": "Too many attempts", "minutes": -(-seconds // 60)}
    page = render(request, "admin/locked_out.html", context, status=429)
    page["Retry-After"] = str(seconds)
    return page


def mark_browser_known(response: HttpResponse, name: str) -> None:
    """Set the cookie of a browser in which the user has just logged in."""
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
    """Delete the failures that no longer count. Returns how many rows."""
    with connection.cursor() as cursor:
        values: dict[str, Any] = {"window": WINDOW}
        cursor.execute("DELETE FROM axes_accessattempt WHERE attempt_time <= now() - %(window)s", values)
        return int(cursor.rowcount)


def name_digest(name: str) -> str:
    """The digest that is stored in place of a username, so that a reader of the table cannot see what was typed."""
    return hmac.digest(settings.SECRET_KEY.encode(), b"tenants.login.lockout:" + name.encode(), "sha256").hex()


def _query_values(request: HttpRequest, name: str) -> dict[str, Any]:
    digest = name_digest(name)
    cookie = request.get_signed_cookie(COOKIE, "", salt=_SALT, max_age=COOKIE_SECONDS) or ""
    cookie_name, _, browser = cookie.partition(":")
    address = _address_group(str(request.META.get("REMOTE_ADDR", "")))
    return {
        "name": digest,
        "address": address,
        "browser": browser if cookie_name == digest else "",
        "window": WINDOW,
    }


@dataclass(frozen=True, slots=True)
class _Failures:
    """Failures of one username from one browser or address, and from everywhere; seconds until none of them counts."""

    here: int
    everywhere: int
    seconds: int


def _count_failures(values: Mapping[str, Any]) -> _Failures:
    with connection.cursor() as cursor:
        cursor.execute(_FAILURES.format(here=_HERE), values)
        return _Failures(*map(int, cursor.fetchone()))


def _typed_name(credentials: Mapping[str, Any] | None) -> str:
    return str((credentials or {}).get("username") or "").encode(errors="replace").decode()


def _address_group(text: str) -> str:
    """The address that is counted: an IPv4 address, or the /64 of an IPv6 address, all of which one client has. A
    socket without an address counts as `::`."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "::"
    if isinstance(address, ipaddress.IPv4Address):
        return text
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False).network_address)
