"""The rules of categories: what still uses one, when it may be deleted or get another kind, what archiving does.

People's noes name a category by its key and outlive it: a category of the same key that is made again finds them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from notifier.channels import channels
from notifier.errors import Conflict, InvalidInput
from notifier.vocabulary.status import Kind
from tenants.models import Category, Preference

#: uses that a refusal names; more would not be read
SHOWN = 5


@dataclass(frozen=True)
class Use:
    """Something that uses a category, in words. `armed`: its messages were planned under the category's kind."""

    what: str
    armed: bool = False


Finder = Callable[[Category], Iterable[Use]]
_finders: list[Finder] = []


def register_uses(finder: Finder) -> None:
    """Called in AppConfig.ready by packages above, whose rows use categories."""
    _finders.append(finder)


def uses(category: Category) -> list[Use]:
    """The first of what uses the category."""
    return [use for finder in _finders for use in finder(category)][:SHOWN]


def delete(category: Category) -> None:
    """Raises Conflict, with what uses it, while anything does."""
    try:
        with transaction.atomic():
            category = Category.objects.select_for_update().get(pk=category.pk)
            if found := uses(category):
                raise Conflict(f"{in_use(found)} Archive the category instead.", code="category_in_use")
            category.delete()
            # a template that chose it at this moment fails this now instead of the whole request at its end
            connection.check_constraints()
    except IntegrityError:
        raise Conflict("A template has just begun to use this category.", code="category_in_use") from None


def in_use(found: Iterable[Use]) -> str:
    return f"In use by {', '.join(use.what for use in found)}."


def check_choice(category: Category | None, field: str) -> None:
    """Raise InvalidInput when a template or campaign would newly use an archived category."""
    if category is not None and category.archived:
        raise archived(category.key, field)


def archived(key: str, field: str) -> InvalidInput:
    """Why a request that names it is refused."""
    return InvalidInput(
        f"The category {key!r} is archived: nothing new may use it. Choose another.",
        field=field,
        code="category_archived",
    )


def create(tenant_id: uuid.UUID, key: str, name: str, kind: str) -> Category:
    """Raises Conflict for a key that exists, or one that somebody turned off and that would be critical now."""
    check_kind(Category(tenant_id=tenant_id, key=key), kind)
    category, created = Category.objects.get_or_create(
        tenant_id=tenant_id, key=key, defaults={"name": name, "kind": kind}
    )
    if not created:
        raise Conflict(f"There is a category {category.key!r} already.", field="key", code="exists")
    return category


def change(category: Category, asked: Mapping[str, Any]) -> Category:
    """Name, kind, or `archived`. Raises Conflict for a kind that what is planned or said forbids."""
    with transaction.atomic():
        category = Category.objects.select_for_update().get(pk=category.pk)
        if "kind" in asked:
            check_kind(category, asked["kind"])
        for name in ("name", "kind"):
            setattr(category, name, asked.get(name, getattr(category, name)))
        if "archived" in asked and asked["archived"] != category.archived:
            category.archived_at = timezone.now() if asked["archived"] else None
        category.save()
    return category


def check_kind(category: Category, kind: str) -> None:
    """Raise Conflict when the category must not get this kind: critical messages pass people's noes, and what is
    armed was planned by the kind that the category had."""
    stored = not category._state.adding
    if stored and kind == category.kind:
        return
    armed = [use for use in uses(category) if use.armed] if stored else []
    if armed:
        raise Conflict(
            f"{in_use(armed)} It was planned under the kind {category.kind}; change the kind when it has ended.",
            field="kind",
            code="category_in_use",
        )
    if kind == Kind.CRITICAL and turned_off(category):
        raise Conflict(
            f"Somebody turned {category.key!r} off; critical messages would reach them all the same. Make a category"
            " with another key.",
            field="kind",
            code="category_turned_off",
        )


def turned_off(category: Category) -> bool:
    """Whether anybody said no to it. Reads the tenant's preferences until the first: for rare clicks only."""
    entries = [category.key, *(f"{category.key}:{name}" for name in channels())]
    return Preference.objects.filter(tenant_id=category.tenant_id, categories_off__overlap=entries).exists()
