"""/v1/recipients/<external_id>/preferences: which channels and categories a recipient turned off, and quiet hours."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import time
from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.views import TenantView
from notifier.api.people import shapes
from notifier.api.people.recipients import TAGS, check_not_erased, find
from notifier.channels import channels
from notifier.delivery.content.preferences_link import new_link, url_of
from notifier.errors import InvalidInput
from tenants.models import Category, Preference

EXAMPLES = [
    OpenApiExample(
        "No promotions, and quiet nights",
        {"categories": {"promotions": False}, "quiet_hours": {"from": "22:00", "until": "07:00"}},
        request_only=True,
    )
]


class PreferencesView(TenantView):
    scope = "recipients"

    @schema.describe("Read preferences", gives=shapes.PreferencesOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, external_id: str) -> Response:
        """A recipient without stored preferences allows everything."""
        stored = Preference.objects.filter(recipient=find(self.tenant, external_id)).first()
        return Response(shown(stored or Preference()))

    @schema.put(
        "Change preferences", shapes.PreferencesInput, shapes.PreferencesOutput, 404, tags=TAGS, examples=EXAMPLES
    )
    def put(self, request: Request, external_id: str) -> Response:
        """Holds from now on, also for messages that were scheduled before."""
        values = self.read(shapes.PreferencesInput)
        recipient = find(self.tenant, external_id)
        check_not_erased(recipient)
        return Response(shown(change(self.tenant_id, recipient.pk, values)))


class PreferencesLinkView(TenantView):
    scope = "recipients"

    @schema.post("Make a link to the recipient's preferences page", None, shapes.PreferencesLinkOutput, 404, tags=TAGS)
    def post(self, request: Request, external_id: str) -> Response:
        """The page needs no login. The link ends after 30 days; the page then offers a new one by mail."""
        recipient = find(self.tenant, external_id)
        check_not_erased(recipient)
        link = new_link(self.tenant_id, recipient.pk)
        return Response({"url": url_of(link), "ends_at": link.ends_at}, status=201)


def change(tenant_id: uuid.UUID, recipient_id: uuid.UUID, values: Mapping[str, Any]) -> Preference:
    """Store the recipient's preferences. Raises InvalidInput, naming the field."""
    with transaction.atomic():
        stored = Preference.objects.select_for_update().filter(recipient_id=recipient_id).first()
        opt_outs = stored.categories_off if stored else []
        named = {*values.get("categories", {}), *map(_key, opt_outs)}
        known = Category.objects.filter(tenant_id=tenant_id, key__in=named).values_list("key", flat=True)
        preference, _ = Preference.objects.update_or_create(
            recipient_id=recipient_id,
            defaults={"tenant_id": tenant_id, **columns(values, frozenset(known), opt_outs)},
        )
    return preference


def _key(entry: str) -> str:
    """`promotions:push` -> `promotions`."""
    return entry.partition(":")[0]


# -- pure: from the JSON of the API to the stored columns, and back ----------------------------------------------------


def columns(values: Mapping[str, Any], known: frozenset[str], opt_outs: Sequence[str] = ()) -> dict[str, Any]:
    """The columns to store. `known`: those categories named in `values` or in the stored `opt_outs` that exist. An
    opt-out from a deleted category stays unless `values` names the category. Raises InvalidInput, naming the field."""
    changed: dict[str, Any] = {}
    if "channels" in values:
        changed["channels_off"] = _channels_off(values["channels"], "channels")
    if "categories" in values:
        deleted = [entry for entry in opt_outs if _key(entry) not in known]
        kept = [entry for entry in deleted if _key(entry) not in values["categories"]]
        changed["categories_off"] = kept + _categories_off(values["categories"], known | {_key(e) for e in deleted})
    if "quiet_hours" in values:
        changed["quiet_from"], changed["quiet_until"] = _quiet(values["quiet_hours"])
    if "language" in values:
        changed["language"] = values["language"] or ""
    return changed


def shown(preference: Preference) -> dict[str, Any]:
    """The stored preference as the API shows it."""
    quiet = None
    if preference.quiet_from is not None and preference.quiet_until is not None:
        quiet = {"from": f"{preference.quiet_from:%H:%M}", "until": f"{preference.quiet_until:%H:%M}"}
    return {
        "channels": {name: name not in preference.channels_off for name in sorted(channels())},
        "categories": _categories(preference.categories_off),
        "quiet_hours": quiet,
        "language": preference.language,
    }


def _categories(off: list[str]) -> dict[str, Any]:
    categories: dict[str, Any] = {}
    # sorted, "promotions" comes before "promotions:push": the opt-out from all channels wins
    for entry in sorted(off):
        key, _, channel = entry.partition(":")
        if not channel:
            categories[key] = False
        elif categories.get(key) is not False:
            categories.setdefault(key, {})[channel] = False
    return categories


def _channels_off(switches: Mapping[str, Any], field: str) -> list[str]:
    for name, switch in switches.items():
        if name not in channels():
            known = ", ".join(sorted(channels()))
            raise InvalidInput(
                f"Unknown channel; known: {known}.", field=f"{field}.{name[:64]}", code="unknown_channel"
            )
        if not isinstance(switch, bool):
            raise InvalidInput("Must be true or false.", field=f"{field}.{name}")
    return [name for name, switch in sorted(switches.items()) if not switch]


def _categories_off(switches: Mapping[str, Any], known: frozenset[str]) -> list[str]:
    off: list[str] = []
    for key, switch in sorted(switches.items()):
        field = f"categories.{key[:64]}"
        if key not in known:
            raise InvalidInput("There is no such category.", field=field, code="unknown_category")
        if isinstance(switch, Mapping):
            off += [f"{key}:{name}" for name in _channels_off(switch, field)]
        elif not isinstance(switch, bool):
            raise InvalidInput("Must be true, false or an object of channels.", field=field)
        elif not switch:
            off.append(key)
    return off


def _quiet(hours: Mapping[str, str] | None) -> tuple[time | None, time | None]:
    if hours is None:
        return None, None
    if hours["from"] == hours["until"]:
        raise InvalidInput("Must not begin and end at the same time; null for none.", field="quiet_hours")
    return time.fromisoformat(hours["from"]), time.fromisoformat(hours["until"])
