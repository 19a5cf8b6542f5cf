"""A tenant ready to use: its categories, its owner and its API keys. What it shows once is shown nowhere again."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from django.db import connection, transaction

from notifier.errors import Conflict, InvalidInput
from notifier.vocabulary.status import Kind, Mode
from tenants import audit
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
    """`password` and the keys are empty when user or key was there before: they cannot be shown again."""

    tenant: Tenant
    user: User
    password: str = field(repr=False)
    live_key: str = field(repr=False)
    test_key: str = field(repr=False)


def create_tenant(
    name: str, slug: str, admin_username: str = "", admin_email: str = "", *, operator: bool = False
) -> CreatedTenant:
    """Make what is missing and keep what is there. `operator` makes a new user see every tenant."""
    _check(name, slug)
    with transaction.atomic():
        tenant, made = Tenant.objects.get_or_create(slug=slug, defaults={"name": name})
        create_default_categories(tenant)
        user, password = _owner(tenant, admin_username or f"{slug}-owner", admin_email, operator)
        keys = {mode: _key(tenant, mode) for mode in Mode}
        if made:
            audit.record(tenant.pk, "tenant.added", tenant.pk, user=user)
    return CreatedTenant(tenant, user, password, keys[Mode.LIVE], keys[Mode.TEST])


def create_default_categories(tenant: Tenant) -> None:
    """The categories that a tenant begins with."""
    for key, name, kind in CATEGORIES:
        Category.objects.get_or_create(tenant=tenant, key=key, defaults={"name": name, "kind": kind.value})


def _check(name: str, slug: str) -> None:
    if not name.strip():
        raise InvalidInput("A tenant needs a name.", field="name")
    if not slug or len(slug) > MAX_SLUG or not all(c.isascii() and (c.isalnum() or c in "-_") for c in slug):
        raise InvalidInput("A slug has 1 to 64 letters, digits, hyphens or underscores.", field="slug")


def _owner(tenant: Tenant, username: str, email: str, operator: bool) -> tuple[User, str]:
    found = User.objects.filter(username=username).first()
    if found is None:
        user, password = create_user(username, email, operator=operator)
    elif Member.objects.filter(tenant=tenant, user=found).exists():
        return found, ""
    else:
        # never hand a new tenant to whoever happens to have that name elsewhere
        raise Conflict(f"There is a user {username!r} already, and no member of this tenant.", field="admin_username")
    Member.objects.create(tenant=tenant, user=user, role=Member.Role.OWNER)
    return user, password


def create_user(username: str, email: str = "", *, operator: bool = False) -> tuple[User, str]:
    """A person who may log in to the admin, and the random password to be shown once."""
    password = secrets.token_urlsafe(15)
    if operator:
        return User.objects.create_user(
            username=username, email=email, password=password, is_staff=True, is_superuser=True
        ), password
    return _create_member_login(username, email, password), password


def _create_member_login(username: str, email: str, password: str) -> User:
    """A login that is nobody's member yet. Row-level security hides it from the owner who invites, so that INSERT's
    RETURNING would be refused; the function adds it, and no operator."""
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
