"""/v1/recipients/<external_id>/preferences: what a recipient asked for."""

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
        """Whoever never chose anything allows everything."""
        found = Preference.objects.filter(recipient=find(self.tenant, external_id)).first()
        return Response(shown(found or Preference()))

    @schema.put(
        "Change preferences", shapes.PreferencesInput, shapes.PreferencesOutput, 404, tags=TAGS, examples=EXAMPLES
    )
    def put(self, request: Request, external_id: str) -> Response:
        """Holds from now on, also for messages that were scheduled before."""
        asked = self.read(shapes.PreferencesInput)
        recipient = find(self.tenant, external_id)
        check_not_erased(recipient)
        return Response(shown(change(self.tenant_id, recipient.pk, asked)))


def change(tenant_id: uuid.UUID, recipient_id: uuid.UUID, asked: Mapping[str, Any]) -> Preference:
    """Store what a recipient asked for. Raises InvalidInput, naming the field."""
    with transaction.atomic():
        stored = Preference.objects.select_for_update().filter(recipient_id=recipient_id).first()
        noes = stored.categories_off if stored else []
        wanted = {*asked.get("categories", {}), *map(_key, noes)}
        known = Category.objects.filter(tenant_id=tenant_id, key__in=wanted).values_list("key", flat=True)
        preference, _ = Preference.objects.update_or_create(
            recipient_id=recipient_id,
            defaults={"tenant_id": tenant_id, **columns(asked, frozenset(known), noes)},
        )
    return preference


def _key(entry: str) -> str:
    """`promotions:push` -> `promotions`."""
    return entry.partition(":")[0]


# -- pure: between what is said and what is stored ---------------------------------------------------------------------


def columns(asked: Mapping[str, Any], known: frozenset[str], noes: Sequence[str] = ()) -> dict[str, Any]:
    """The columns that these wishes mean; `known`: the categories that exist, of those named here and in the stored
    `noes`. A no to one that was deleted stays unless it is named. Raises InvalidInput, naming the field."""
    found: dict[str, Any] = {}
    if "channels" in asked:
        found["channels_off"] = _off_channels(asked["channels"], "channels")
    if "categories" in asked:
        lasting = [entry for entry in noes if _key(entry) not in known]
        kept = [entry for entry in lasting if _key(entry) not in asked["categories"]]
        found["categories_off"] = kept + _off_categories(asked["categories"], known | {_key(e) for e in lasting})
    if "quiet_hours" in asked:
        found["quiet_from"], found["quiet_until"] = _quiet(asked["quiet_hours"])
    if "language" in asked:
        found["language"] = asked["language"] or ""
    return found


def shown(preference: Preference) -> dict[str, Any]:
    """What is stored, as it is said."""
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
    found: dict[str, Any] = {}
    # "promotions" before "promotions:push", so that the whole no wins
    for entry in sorted(off):
        key, _, name = entry.partition(":")
        if not name:
            found[key] = False
        elif found.get(key) is not False:
            found.setdefault(key, {})[name] = False
    return found


def _off_channels(wishes: Mapping[str, Any], field: str) -> list[str]:
    for name, wish in wishes.items():
        if name not in channels():
            known = ", ".join(sorted(channels()))
            raise InvalidInput(
                f"Unknown channel; known: {known}.", field=f"{field}.{name[:64]}", code="unknown_channel"
            )
        if not isinstance(wish, bool):
            raise InvalidInput("Must be true or false.", field=f"{field}.{name}")
    return [name for name, wish in sorted(wishes.items()) if not wish]


def _off_categories(wishes: Mapping[str, Any], known: frozenset[str]) -> list[str]:
    off: list[str] = []
    for key, wish in sorted(wishes.items()):
        field = f"categories.{key[:64]}"
        if key not in known:
            raise InvalidInput("There is no such category.", field=field, code="unknown_category")
        if isinstance(wish, Mapping):
            off += [f"{key}:{name}" for name in _off_channels(wish, field)]
        elif not isinstance(wish, bool):
            raise InvalidInput("Must be true, false or an object of channels.", field=field)
        elif not wish:
            off.append(key)
    return off


def _quiet(hours: Mapping[str, str] | None) -> tuple[time | None, time | None]:
    if hours is None:
        return None, None
    if hours["from"] == hours["until"]:
        raise InvalidInput("Must not begin and end at the same time; null for none.", field="quiet_hours")
    return time.fromisoformat(hours["from"]), time.fromisoformat(hours["until"])
