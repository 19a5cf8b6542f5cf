"""The session store that the settings name: sessions in the database, of which a request sees only its own.

The table holds a digest of the key that the browser has. A policy of row-level security shows the row whose digest is
in `notifier.session`, a setting that the site signs. So SQL can neither list sessions nor choose one, and a copy of the
table opens none. Sessions survive a loss of Redis, and logging out ends them; signed cookies cannot be ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from tenants.database import signed_settings
from tenants.models import LoginSession

#: the key under which a session keeps the time of its login, in seconds
BEGUN = "begun"


class SessionStore(DatabaseSessions):
    def _get_session_from_db(self) -> Session | None:
        with _visible_session(self.session_key) as digest:
            session = Session.objects.filter(session_key=digest, expire_date__gt=timezone.now()).first()
        if session is None:
            self._session_key = None
        return session

    def exists(self, session_key: str | None) -> bool:
        with _visible_session(session_key) as digest:
            return Session.objects.filter(session_key=digest).exists()

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        key = self.session_key
        assert key is not None  # save() creates one first
        return Session(session_key=session_digest(key), session_data=self.encode(data), expire_date=self.ends_at())

    def ends_at(self) -> datetime:
        """SESSION_IDLE_MINUTES after now, and SESSION_HOURS after the login at the latest."""
        now = timezone.now()
        begun = datetime.fromtimestamp(self.get(BEGUN, now.timestamp()), UTC)
        idle_end = now + timedelta(minutes=settings.SESSION_IDLE_MINUTES)
        return min(idle_end, begun + timedelta(seconds=settings.SESSION_COOKIE_AGE))

    def prolong(self) -> None:
        """The session is used now; nothing else of it is written."""
        with _visible_session(self.session_key) as digest:
            Session.objects.filter(session_key=digest).update(expire_date=self.ends_at())

    def save(self, must_create: bool = False) -> None:
        if self.session_key is None:
            self.create()
            return
        with _visible_session(self.session_key):
            super().save(must_create)

    def cycle_key(self) -> None:
        """A new key, also in the list of the user's sessions."""
        before = self.session_key
        super().cycle_key()
        if before is not None and self.session_key is not None:
            rows = LoginSession.objects.filter(digest=session_digest(before))
            rows.update(digest=session_digest(self.session_key))

    def delete(self, session_key: str | None = None) -> None:
        with _visible_session(session_key or self.session_key) as digest:
            Session.objects.filter(session_key=digest).delete()


def session_digest(session_key: str) -> str:
    """The digest that is stored in place of a key, cut to the 40 characters of Django's column. A key is 164 random
    bits."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:40]


@contextmanager
def _visible_session(session_key: str | None) -> Iterator[str]:
    """A transaction that sees this session; yields the session's digest."""
    digest = session_digest(session_key or "")
    with transaction.atomic():
        signed_settings.set_local("session", digest)
        yield digest
