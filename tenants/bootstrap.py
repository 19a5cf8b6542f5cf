"""Creates a tenant that is ready to use: default categories, an owner, API keys. Password and keys are returned once
and stored hashed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from django.db import connection, transaction

from notifier.errors import Conflict, InvalidInput
from notifier.vocabulary.status import Kind, Mode
from tenants import audit
from tenants.access import act_as
from tenants.api_keys import create_key
from tenants.models import ApiKey, Category, Member, Tenant, User

CATEGORIES = (
    ("order-updates", "Order updates", Kind.TRANSACTIONAL),
    ("promotions", "Promotions", Kind.MARKETING),
    ("security", "Security", Kind.CRITICAL),
)
MAX_SLUG = 64


@dataclass(frozen=True)
class CreatedTenant:
    """`password` and the keys are empty for a user or a key that existed before: neither can be shown again."""

    tenant: Tenant
    user: User
    password: str = field(repr=False)
    live_key: str = field(repr=False)
    test_key: str = field(repr=False)


def create_tenant(
    name: str, slug: str, admin_username: str = "", admin_email: str = "", *, operator: bool = False
) -> CreatedTenant:
    """Create the parts that are missing and keep the others. `operator`: a new owner sees every tenant. Raises Conflict
    when the owner's username belongs to a user who is no member of this tenant."""
    _check(name, slug)
    with transaction.atomic():
        tenant, created = Tenant.objects.get_or_create(slug=slug, defaults={"name": name})
        create_default_categories(tenant)
        user, password = _owner(tenant, admin_username or f"{slug}-owner", admin_email, operator)
        keys = {mode: _key(tenant, mode) for mode in Mode}
        if created:
            audit.record(tenant.pk, "tenant.added", tenant.pk, by=audit.Actor(user))
    return CreatedTenant(tenant, user, password, keys[Mode.LIVE], keys[Mode.TEST])


def create_default_categories(tenant: Tenant) -> None:
    """The categories of a new tenant."""
    for key, name, kind in CATEGORIES:
        Category.objects.get_or_create(tenant=tenant, key=key, defaults={"name": name, "kind": kind.value})


def _check(name: str, slug: str) -> None:
    if not name.strip():
        raise InvalidInput("A tenant needs a name.", field="name")
    if not slug or len(slug) > MAX_SLUG or not all(c.isascii() and (c.isalnum() or c in "-_") for c in slug):
        raise InvalidInput("A slug has 1 to 64 letters, digits, hyphens or underscores.", field="slug")


def _owner(tenant: Tenant, username: str, email: str, operator: bool) -> tuple[User, str]:
    existing = User.objects.filter(username=username).first()
    if existing is None:
        user, password = create_user(username, email, operator=operator)
    elif Member.objects.filter(tenant=tenant, user=existing).exists():
        return existing, ""
    else:
        # a user of another tenant with the same name must not become the owner of this tenant
        raise Conflict(
            f"There is a user {username!r} already, who is no member of this tenant.", field="admin_username"
        )
    Member.objects.create(tenant=tenant, user=user, role=Member.Role.OWNER)
    return user, password


def create_user(username: str, email: str = "", *, operator: bool = False) -> tuple[User, str]:
    """A user who may log in to the admin, and the random password to be shown once."""
    password = secrets.token_urlsafe(15)
    if operator:
        return User.objects.create_user(
            username=username, email=email, password=password, is_staff=True, is_superuser=True
        ), password
    return _create_member_login(username, email, password), password


def create_person(username: str, email: str, password: str | None, full_name: str = "") -> User:
    """A login whose person chose the password; None: no password opens it. From here on the transaction acts as the
    user."""
    user = _create_member_login(username, email, password)
    act_as(user.pk)
    if full_name:
        user.first_name, _, user.last_name = full_name.strip().partition(" ")
        User.objects.filter(pk=user.pk).update(first_name=user.first_name, last_name=user.last_name[:150])
    return user


def _create_member_login(username: str, email: str, password: str | None) -> User:
    """A user without a tenant yet. Row-level security hides such a user from the owner who invites, so that the
    INSERT's RETURNING would be refused; the SQL function `add_login` inserts the row, and never an operator's."""
    user = User(username=User.normalize_username(username), email=User.objects.normalize_email(email), is_staff=True)
    user.set_password(password)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, date_joined FROM add_login(%s, %s, %s)", [user.username, user.email, user.password])
        user.pk, user.date_joined = cursor.fetchone()
    user._state.adding, user._state.db = False, connection.alias
    return user


def _key(tenant: Tenant, mode: Mode) -> str:
    name = f"first {mode.value} key"
    if ApiKey.objects.filter(tenant=tenant, mode=mode.value, revoked_at=None).exists():
        return ""
    return create_key(tenant, name, mode, ["*"])[1]
