"""The rules of categories: which rows use a category, when it may be deleted, archived or given another kind.

A recipient's opt-out names a category by its key and outlives the category: a new category with the same key is subject
to it again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from notifier.errors import Conflict, InvalidInput
from notifier.vocabulary.status import Kind
from tenants.models import Category, OptIn

#: what a category's creator chooses besides its key, and may change later
VALUES = ("name", "description", "kind", "opt_in", "preferred_channels", "over_cap")
NO_OPT_IN = "A critical message ignores preferences, so its category can ask for no opt-in."
#: uses that a refusal lists; a longer list would not be read
MAX_USES = 5


@dataclass(frozen=True)
class CategoryUse:
    """A row that uses a category, in words. `armed`: its messages were planned under the category's kind."""

    description: str
    armed: bool = False


#: raises InvalidInput for a value that needs a row of a package above
ValueCheck = Callable[[Category], None]
_value_checks: list[ValueCheck] = []
UseFinder = Callable[[Category], Iterable[CategoryUse]]
_use_finders: list[UseFinder] = []


def add_use_finder(finder: UseFinder) -> None:
    """Packages above, whose rows use categories, call this in `AppConfig.ready`."""
    _use_finders.append(finder)


def remove_use_finder(finder: UseFinder) -> None:
    """Undo `add_use_finder`."""
    _use_finders.remove(finder)


#: raises Conflict when the category must not get the kind
KindCheck = Callable[[Category, str], None]
_kind_checks: list[KindCheck] = []


def add_kind_check(check: KindCheck) -> None:
    """Packages above, whose rows forbid a kind, call this in `AppConfig.ready`."""
    _kind_checks.append(check)


def add_value_check(check: ValueCheck) -> None:
    """Packages above, on whose rows a category's values depend, call this in `AppConfig.ready`."""
    _value_checks.append(check)


def find_uses(category: Category) -> list[CategoryUse]:
    """The first MAX_USES rows that use the category."""
    return [use for finder in _use_finders for use in finder(category)][:MAX_USES]


def delete(category: Category) -> None:
    """Raises Conflict, naming the rows that use the category, while there are any."""
    try:
        with transaction.atomic():
            category = Category.objects.select_for_update().get(pk=category.pk)
            if uses := find_uses(category):
                raise Conflict(f"{describe(uses)} Archive the category instead.", code="category_in_use")
            category.delete()
            # if a template chose the category meanwhile, the error comes here, not at the end of the whole request
            connection.check_constraints()
    except IntegrityError:
        raise Conflict("A template has just begun to use this category.", code="category_in_use") from None


def describe(uses: Iterable[CategoryUse]) -> str:
    return f"In use by {', '.join(use.description for use in uses)}."


def check_not_archived(category: Category | None, field: str) -> None:
    """Raise InvalidInput when a template or campaign would newly use an archived category."""
    if category is not None and category.archived:
        raise archived_error(category.key, field)


def archived_error(key: str, field: str) -> InvalidInput:
    """The refusal of a request that names an archived category."""
    return InvalidInput(
        f"The category {key!r} is archived: nothing new may use it. Choose another.",
        field=field,
        code="category_archived",
    )


def create(tenant_id: uuid.UUID, values: Mapping[str, Any]) -> Category:
    """A category with these values (`key`, `name`, `kind`, and others of VALUES). Raises Conflict for a key that
    exists, or for a critical category whose key a recipient has opted out of; InvalidInput for a wrong value."""
    category = Category(tenant_id=tenant_id, **values)
    check_values(category)
    check_kind(Category(tenant_id=tenant_id, key=category.key), category.kind)
    category, created = Category.objects.get_or_create(
        tenant_id=tenant_id, key=category.key, defaults={name: getattr(category, name) for name in VALUES}
    )
    if not created:
        raise Conflict(f"There is a category {category.key!r} already.", field="key", code="exists")
    return category


def change(category: Category, changes: Mapping[str, Any]) -> Category:
    """Change VALUES or `archived`. Raises Conflict for a kind that planned messages or opt-outs forbid, InvalidInput
    for a wrong value."""
    with transaction.atomic():
        category = Category.objects.select_for_update().get(pk=category.pk)
        if "kind" in changes:
            check_kind(category, changes["kind"])
        for name in VALUES:
            setattr(category, name, changes.get(name, getattr(category, name)))
        check_values(category)
        if "archived" in changes and changes["archived"] != category.archived:
            category.archived_at = timezone.now() if changes["archived"] else None
        category.save()
    return category


def check_values(category: Category) -> None:
    """Raise InvalidInput, naming the field, for an opt-in of a critical category, whose messages ask for none, and for
    values that packages above refuse."""
    if category.kind == Kind.CRITICAL and category.opt_in not in ("", OptIn.OFF):
        raise InvalidInput(NO_OPT_IN, field="opt_in")
    check_with_packages_above(category)


def check_with_packages_above(category: Category) -> None:
    """Raise InvalidInput, naming the field, for values that packages above refuse."""
    for check in _value_checks:
        check(category)


def check_kind(category: Category, kind: str) -> None:
    """Raise Conflict when the category must not get this kind: critical messages ignore opt-outs, and armed messages
    were planned under the kind that the category had."""
    stored = not category._state.adding
    if stored and kind == category.kind:
        return
    armed_uses = [use for use in find_uses(category) if use.armed] if stored else []
    if armed_uses:
        raise Conflict(
            f"{describe(armed_uses)} It was planned under the kind {category.kind}; change the kind when it has ended.",
            field="kind",
            code="category_in_use",
        )
    for check in _kind_checks if stored else ():
        check(category, kind)
    if kind == Kind.CRITICAL and has_opt_out(category):
        raise Conflict(
            f"A recipient has turned {category.key!r} off; critical messages would reach that recipient all the same."
            " Create a category with another key.",
            field="kind",
            code="category_turned_off",
        )


# An entry is `key` or `key:channel`. Few recipients have entries, so the first condition spares most rows the second:
# 0.2 µs a row instead of 0.5.
_OPT_OUT = """
SELECT EXISTS (
  SELECT FROM tenants_preference
  WHERE tenant_id = %s AND categories_off <> '{}'
    AND EXISTS (SELECT FROM unnest(categories_off) entry WHERE split_part(entry, ':', 1) = %s))
"""


def has_opt_out(category: Category) -> bool:
    """Whether a recipient has turned the category off, in whole or for a channel. Reads the tenant's preferences up to
    the first such recipient: for rare clicks only."""
    with connection.cursor() as cursor:
        cursor.execute(_OPT_OUT, [category.tenant_id, category.key])
        return bool(cursor.fetchone()[0])
