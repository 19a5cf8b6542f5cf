"""The digest of a category, as the API and the admin set it up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from notifier.delivery.content.templates import compiled
from notifier.delivery.digests.templates import check_variables
from notifier.delivery.digests.versions import newest_versions
from notifier.errors import Conflict, InvalidInput, NotFound
from notifier.models import Digest, DigestSetting, Template
from notifier.vocabulary.digests import DEFAULT_ITEMS, MOST_ITEMS, read_times
from tenants.categories import CategoryUse
from tenants.models import Category, OverCap


def write_setting(category: Category, values: Mapping[str, Any]) -> tuple[DigestSetting, bool]:
    """Replace the category's setting; returns it and whether it is new. Raises InvalidInput, naming the field."""
    template = Template.objects.filter(tenant_id=category.tenant_id, key=values["template"]).first()
    if template is None:
        raise InvalidInput(f"There is no template {values['template']!r}.", field="template", code="unknown_template")
    new = {
        "tenant_id": category.tenant_id,
        "template": template,
        "window": values.get("window", ""),
        "max_window": values.get("max_window", ""),
        "schedule": values.get("schedule", ""),
        "max_items": values.get("max_items", DEFAULT_ITEMS),
        "channels": list(values.get("channels", [])),
    }
    check_setting(DigestSetting(category=category, **new))
    with transaction.atomic():
        return DigestSetting.objects.update_or_create(category=category, defaults=new)


def check_setting(setting: DigestSetting) -> None:
    """Raise InvalidInput, naming the field, for a setting whose digests could not leave."""
    read_times(setting.window, setting.max_window, setting.schedule)
    if not 1 <= setting.max_items <= MOST_ITEMS:
        raise InvalidInput(f"Must be 1 to {MOST_ITEMS}.", field="max_items", code="out_of_range")
    key = setting.template.key
    version_id = newest_versions(setting.template.tenant_id, [key]).get(key)
    if version_id is None:
        raise InvalidInput("The template has no published version.", field="template", code="no_content")
    check_variables(version_id, "template")
    served = compiled(version_id).channels
    if missing := [name for name in setting.channels if name not in served]:
        raise InvalidInput(
            f"The digest template has no content for: {', '.join(missing)}; it has: {', '.join(served)}.",
            field="channels",
            code="no_content",
        )


def setting_of(category: Category) -> DigestSetting:
    """Raises NotFound."""
    setting = DigestSetting.objects.select_related("template").filter(category=category).first()
    if setting is None:
        raise NotFound(f"The category {category.key!r} has no digest.")
    return setting


def delete_setting(setting: DigestSetting) -> None:
    """Raises Conflict while messages over a frequency cap join the digest."""
    with transaction.atomic():
        category = Category.objects.select_for_update().get(pk=setting.category_id)
        if category.over_cap == OverCap.DIGEST:
            raise Conflict(
                f"The category {category.key!r} gathers what exceeds a frequency cap; choose drop or defer first.",
                code="digest_in_use",
            )
        setting.delete()


def check_over_cap(category: Category) -> None:
    """Raise InvalidInput when messages over the cap would join a digest that the category does not have."""
    if category.over_cap == OverCap.DIGEST and not DigestSetting.objects.filter(category_id=category.pk).exists():
        raise InvalidInput(
            "The category has no digest that messages over the cap could join. Set the digest up first:"
            " PUT /v1/categories/<key>/digest, or the page Digest settings.",
            field="over_cap",
            code="no_digest",
        )


def find_uses(category: Category) -> list[CategoryUse]:
    """Open digests of a category, whose messages still leave."""
    opened = Digest.objects.filter(tenant_id=category.tenant_id, category=category.key, closed_at=None)
    return [CategoryUse("open digests")] if opened.exists() else []
