"""The list of a user's sessions: written at each login, shown to the user, and ended by deleting a row.

A trigger in the database deletes the session of a deleted row, and the rows of a user whose password changes, who
becomes inactive, or who loses a membership.
"""

from __future__ import annotations

import ipaddress
import re
import time
from datetime import UTC, datetime
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from tenants.access import act_as
from tenants.login.sessions import BEGUN, SessionStore, session_digest
from tenants.models import LoginSession, User

#: a session's last use is written at most once in so many seconds by each process
USE_SECONDS = 60
_MOST_REMEMBERED = 10_000
_used: dict[str, float] = {}

_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def record_login(sender: Any, request: HttpRequest | None, user: User, **_: Any) -> None:
    """Django's signal `user_logged_in`: write the session's row."""
    if request is None or not hasattr(request, "session"):
        return
    now = datetime.now(UTC)
    request.session[BEGUN] = now.timestamp()
    if request.session.session_key is None:
        request.session.create()
    with transaction.atomic():
        act_as(user.pk)
        LoginSession.objects.update_or_create(
            digest=digest_of(request.session),
            defaults={
                "user": user,
                "browser": browser_name(str(request.META.get("HTTP_USER_AGENT", ""))),
                "address": network_of(str(request.META.get("REMOTE_ADDR", ""))),
                "begun_at": now,
                "last_used_at": now,
            },
        )


def record_logout(sender: Any, request: HttpRequest | None, user: User | None, **_: Any) -> None:
    """Django's signal `user_logged_out`: delete the session's row."""
    if request is None or user is None or request.session.session_key is None:
        return
    with transaction.atomic():
        act_as(user.pk)
        LoginSession.objects.filter(digest=digest_of(request.session)).delete()


def record_use(request: HttpRequest) -> None:
    """Write that the session was used, and prolong it, once a minute. Needs a transaction that acts as the user."""
    key = request.session.session_key
    if key is None or not request.user.is_authenticated:
        return
    digest, now = session_digest(key), time.monotonic()
    if now - _used.get(digest, -USE_SECONDS) < USE_SECONDS:
        return
    if len(_used) >= _MOST_REMEMBERED:
        _used.clear()
    _used[digest] = now
    LoginSession.objects.filter(digest=digest).update(last_used_at=datetime.now(UTC))
    if isinstance(request.session, SessionStore):
        request.session.prolong()


def reset() -> None:
    """Forget which sessions this process has written as used."""
    _used.clear()


def digest_of(session: SessionBase) -> str:
    return session_digest(session.session_key or "")


def end_sessions(sessions: QuerySet[LoginSession]) -> int:
    """End these sessions. Returns how many."""
    return sessions.delete()[0]


def delete_expired() -> int:
    """Delete the rows of sessions that have expired. Returns how many. Engine role."""
    from django.contrib.sessions.models import Session

    alive = Session.objects.filter(expire_date__gt=datetime.now(UTC)).values("session_key")
    return end_sessions(LoginSession.objects.exclude(digest__in=alive))


def browser_name(user_agent: str) -> str:
    """Such as "Firefox on Windows"; empty for a text of another form."""
    browser = next((name for word, name in _BROWSERS if re.search(rf"\b{word}(iOS)?/", user_agent)), "")
    system = next((name for word, name in _SYSTEMS if word in user_agent), "")
    return " on ".join(part for part in (browser, system) if part)


def network_of(text: str) -> str:
    """The address without its last part: enough to recognise a network, too little to follow a person."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if isinstance(address, ipaddress.IPv4Address):
        return f"{text.rpartition('.')[0]}.…" if "." in text else ""
    return f"{ipaddress.ip_network((address, 48), strict=False).network_address}…"
