"""Every mistake of a content, for editors: publishing names the first one only. Stores nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from notifier.channels import channel, channels
from notifier.delivery.content import templates
from notifier.errors import InvalidInput, NotifierError
from notifier.models import Layout
from tenants.models import Category, Tenant


def find_mistakes(
    content: Any, tenant: Tenant, layout: Layout | None, *, category: Category | None = None
) -> list[NotifierError]:
    """The mistakes of a content, each with its field: all texts that cannot be parsed; and for each channel and locale
    without one of these, what else keeps it from being published. Empty: the content can be published."""
    if not isinstance(content, Mapping) or not content:
        return [InvalidInput("The template has no content; add a channel.", field="content")]
    mistakes: list[NotifierError] = []
    for name, by_locale in content.items():
        mistakes += _of_channel(name, by_locale, (tenant, layout, category))
    if not mistakes:
        # what concerns several channels together
        mistakes += _caught(content, tenant, layout, category)
    return mistakes


def _of_channel(
    name: str, by_locale: Any, context: tuple[Tenant, Layout | None, Category | None]
) -> list[NotifierError]:
    if name not in channels() or not isinstance(by_locale, Mapping):
        return _caught({name: by_locale}, *context)
    tenant = context[0]
    mistakes: list[NotifierError] = []
    default = next((tag for tag in templates.fallbacks(tenant.default_locale) if tag in by_locale), None)
    if default is None:
        missing = f"The tenant's default locale {tenant.default_locale!r} is missing."
        mistakes.append(InvalidInput(missing, field=f"content.{name}"))
    for locale, parts in by_locale.items():
        of_locale = list(_unparsed(name, locale, parts))
        if not of_locale:
            # the only locale, as the tenant's default: that the default is missing was said above
            of_locale = _renamed(_caught({name: {tenant.default_locale: parts}}, *context), name, locale, tenant)
        mistakes += of_locale
    return mistakes


def _unparsed(name: str, locale: str, parts: Any) -> Iterator[NotifierError]:
    """The texts that are no Liquid."""
    kind = channel(name)
    for part, value in parts.items() if isinstance(parts, Mapping) else ():
        if part not in kind.parts or part in kind.file_parts:
            continue
        try:
            templates.parse_parts(name, locale, {part: value})
        except InvalidInput as error:
            yield error


def _caught(content: Any, tenant: Tenant, layout: Layout | None, category: Category | None) -> list[NotifierError]:
    try:
        templates.prepare(content, tenant, layout, category=category)
    except NotifierError as error:
        return [error]
    return []


def _renamed(mistakes: list[NotifierError], name: str, locale: str, tenant: Tenant) -> list[NotifierError]:
    """The mistakes with the locale's own name in their fields."""
    checked, own = f"content.{name}.{tenant.default_locale}", f"content.{name}.{locale}"
    for mistake in mistakes:
        if mistake.field and (mistake.field == checked or mistake.field.startswith(f"{checked}.")):
            mistake.field = own + mistake.field[len(checked) :]
    return mistakes
