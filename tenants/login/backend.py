"""Checks username and password as the database's web role, which sees only the login of the current request.

Rights come from a member's role (tenants.admin.roles) or from being an operator; Django's own permissions are not used.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.db import connection, transaction
from django.http import HttpRequest

from tenants.access import act_as
from tenants.models import User


class LoginBackend(BaseBackend):
    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> User | None:
        if not username or password is None:
            return None
        with transaction.atomic():
            user = self.get_user(find_user_id(username))
            if user is None:
                # hashing takes as long as checking the password of a known user, so the time reveals nothing
                User().set_password(password)
                return None
            if user.check_password(password):
                return user
            act_as(None)
        return None

    def get_user(self, user_id: int | None) -> User | None:
        """The user, as whom the rest of the transaction acts. None for an unknown or inactive user."""
        if user_id is None:
            return None
        with transaction.atomic():
            act_as(user_id)
            return User.objects.filter(pk=user_id, is_active=True).first()


def find_user_id(username: str) -> int | None:
    """The id of the user with exactly this name, in whichever tenant."""
    if "\0" in username:
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT user_by_login(%s)", [username])
        user_id: int | None = cursor.fetchone()[0]
    return user_id
