"""A login in stages: name and password (or the OIDC provider) first, then the second factor. Nobody is logged in before
the last stage, so no page needs to ask which stages a session has passed.

Between the stages an anonymous session says which user has passed the first one.
"""

from __future__ import annotations

import enum
import hmac
import time

from django.contrib.auth import login
from django.db import transaction
from django.http import HttpRequest

from tenants.access import act_as
from tenants.login import second_factor
from tenants.models import User

_SESSION = "login_stage"
#: seconds within which the second stage must be passed
VALID_SECONDS = 600


class Stage(enum.Enum):
    DONE = "done"
    CODE = "code"  #: the login has a second factor and must show it
    SETUP = "setup"  #: the login must get a second factor first


def next_stage(user: User) -> Stage:
    """What is left to do after the first stage."""
    if second_factor.has_second_factor(user):
        return Stage.CODE
    return Stage.SETUP if second_factor.is_required(user) else Stage.DONE


def begin(request: HttpRequest, user: User, next_page: str, backend: str) -> None:
    """Remember that the user has passed the first stage. The session gets a new key."""
    request.session.cycle_key()
    request.session[_SESSION] = {
        "user": user.pk,
        "proof": user.get_session_auth_hash(),
        "next": next_page,
        "backend": backend,
        "at": time.time(),
    }


def pending_user(request: HttpRequest) -> User | None:
    """The user who has passed the first stage, within VALID_SECONDS and with the same password as then."""
    entry = request.session.get(_SESSION)
    if not isinstance(entry, dict) or not 0 <= time.time() - float(entry["at"]) < VALID_SECONDS:
        return None
    with transaction.atomic():
        act_as(entry["user"])
        user = User.objects.filter(pk=entry["user"], is_active=True).first()
    return user if user and hmac.compare_digest(user.get_session_auth_hash(), entry["proof"]) else None


def next_page(request: HttpRequest) -> str:
    """The page to which the login leads."""
    entry = request.session.get(_SESSION) or {}
    return str(entry.get("next") or "")


def finish(request: HttpRequest, user: User) -> str:
    """Log the user in. Returns the page to which the login leads."""
    entry = request.session.pop(_SESSION)
    login(request, user, backend=entry["backend"])
    return str(entry["next"])


def cancel(request: HttpRequest) -> None:
    request.session.pop(_SESSION, None)
