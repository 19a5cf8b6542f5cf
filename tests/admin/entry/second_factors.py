"""An authenticator app for tests: it knows the secret and shows the code of a moment."""

from __future__ import annotations

import base64
import re
from typing import Any

from django.urls import reverse
from django_otp.oath import totp

from tenants.login import second_factor
from tenants.models import Authenticator, User


def code_of(user: User, steps: int = 0) -> str:
    """The code that the user's app shows, or showed some steps of 30 s ago."""
    secret = base64.b32decode(second_factor.begin_setup(user))
    return f"{totp(secret, t0=-30 * steps):06d}"


def forget_last_code(user: User) -> None:
    """As if 30 s had passed since the last accepted code."""
    Authenticator.objects.filter(user=user).update(last_step=-1, throttling_failure_count=0)


def set_up(user: User) -> list[str]:
    """Give the user a second factor; returns the recovery codes."""
    codes = second_factor.confirm_setup(user, code_of(user))
    assert len(codes) == second_factor.RECOVERY_CODES
    forget_last_code(user)
    return codes


def secret_on(page: Any) -> str:
    """The secret that the page of the set-up shows."""
    found = re.search(r'n-access__key">([A-Z2-7 ]+)<', page.content.decode())
    assert found is not None, page.content.decode()[:2000]
    return found[1].replace(" ", "")


def code_for(secret: str) -> str:
    return f"{totp(base64.b32decode(secret)):06d}"


def log_in_with_password(client: Any, name: str, password: str = "a long password", **data: str) -> Any:
    return client.post(reverse("admin:login"), {"username": name, "password": password, **data})
