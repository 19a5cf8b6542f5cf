"""Who logs in to the admin: finding and checking them as the web role, which sees no login but that of the request.

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
                # as slow as for a name that exists
                User().set_password(password)
                return None
            if user.check_password(password):
                return user
            act_as(None)
        return None

    def get_user(self, user_id: int | None) -> User | None:
        """The person, who from here to the end of the transaction is the one logged in. None when switched off."""
        if user_id is None:
            return None
        with transaction.atomic():
            act_as(user_id)
            return User.objects.filter(pk=user_id, is_active=True).first()


def find_user_id(username: str) -> int | None:
    """The id of the login with exactly this name, whoever's member it is."""
    if "\0" in username:
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT user_by_login(%s)", [username])
        found: int | None = cursor.fetchone()[0]
    return found
