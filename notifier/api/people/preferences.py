"""/v1/recipients/<external_id>/preferences: which channels and categories a recipient turned off or asked for, and
preferred channels, quiet hours, snooze."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.origin import origin_of
from notifier.api.framework.views import TenantView
from notifier.api.people import shapes
from notifier.api.people.recipients import TAGS, check_not_erased, find
from notifier.channels import channels
from notifier.delivery.content.links.preferences_link import new_link, url_of
from notifier.delivery.opt_in.new_opt_ins import by_category, decide
from notifier.delivery.opt_in.requests import BY_API, Origin, ask_to_confirm, with_double_opt_in
from notifier.errors import InvalidInput
from tenants.models import Category, Preference
from tenants.people.preferences import lock_preferences

#: a longer rest is an opt-out, which `everything_off` says
LONGEST_SNOOZE = timedelta(days=366)

EXAMPLES = [
    OpenApiExample(
        "No promotions, and quiet nights",
        {"categories": {"promotions": False}, "quiet_hours": {"from": "22:00", "until": "07:00"}},
        request_only=True,
    ),
    OpenApiExample(
        "News by email only, nothing until February",
        {
            "categories": {"news": True},
            "preferred_channels": {"news": "email", "": "push"},
            "snoozed_until": "2030-02-01T00:00:00Z",
        },
        request_only=True,
    ),
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
        """Holds from now on, also for messages that were scheduled before. In a category with double opt-in, a new
        opt-in, or one that ends an opt-out, holds when the recipient has confirmed it by a mail: until then it stands
        under `consents` only."""
        values = self.read(shapes.PreferencesInput)
        recipient = find(self.tenant, external_id)
        check_not_erased(recipient)
        origin = origin_of(request, "api", self.caller.mode)
        return Response(shown(change(self.tenant_id, recipient.pk, values, origin)))


class PreferencesLinkView(TenantView):
    scope = "recipients"

    @schema.post("Make a link to the recipient's preferences page", None, shapes.PreferencesLinkOutput, 404, tags=TAGS)
    def post(self, request: Request, external_id: str) -> Response:
        """The page needs no login. The link ends after 30 days; the page then offers a new one by mail."""
        recipient = find(self.tenant, external_id)
        check_not_erased(recipient)
        link = new_link(self.tenant_id, recipient.pk)
        return Response({"url": url_of(link), "ends_at": link.ends_at}, status=201)


def change(
    tenant_id: uuid.UUID, recipient_id: uuid.UUID, values: Mapping[str, Any], origin: Origin = BY_API
) -> Preference:
    """Store the recipient's preferences, and ask the recipient to confirm new opt-ins that need it. Raises
    InvalidInput, naming the field."""
    now = datetime.now(UTC)
    with transaction.atomic():
        stored = lock_preferences(tenant_id, recipient_id)
        named = {*values.get("categories", {}), *values.get("preferred_channels", {}), *_stored_keys(stored)}
        known = Category.objects.filter(tenant_id=tenant_id, key__in=named).values_list("key", flat=True)
        changed = columns(values, frozenset(known), stored, now)
        to_confirm = _keep_back(tenant_id, stored, changed, origin) if "categories" in values else {}
        for column, value in changed.items():
            setattr(stored, column, value)
        stored.save(update_fields=[*changed, "updated_at"])
        ask_to_confirm(tenant_id, recipient_id, to_confirm, origin, now)
    return stored


def _keep_back(
    tenant_id: uuid.UUID, stored: Preference, changed: dict[str, Any], origin: Origin
) -> dict[str, list[str]]:
    """Let opt-ins of `changed` wait for the recipient's confirmation where they need it; returns, by category, the
    entries that need it."""
    before = by_category(stored.categories_off, stored.categories_on)
    asked = by_category(changed["categories_off"], changed["categories_on"])
    to_confirm = {}
    for key in with_double_opt_in(tenant_id, [key for key, choices in asked.items() if choices.on]):
        decision = decide(key, before[key], asked[key], by_recipient=origin.is_recipient)
        if decision.to_confirm:
            to_confirm[key], asked[key] = decision.to_confirm, decision.kept
    if to_confirm:
        changed["categories_off"] = sorted(entry for choices in asked.values() for entry in choices.off)
        changed["categories_on"] = sorted(entry for choices in asked.values() for entry in choices.on)
    return to_confirm


def _stored_keys(stored: Preference) -> set[str]:
    """The keys of the categories that a stored preference names; some of these may be deleted by now."""
    return {*map(_key, [*stored.categories_off, *stored.categories_on]), *stored.preferred_channels} - {""}


def _key(entry: str) -> str:
    """`promotions:push` -> `promotions`."""
    return entry.partition(":")[0]


# -- pure: from the JSON of the API to the stored columns, and back ----------------------------------------------------


def columns(values: Mapping[str, Any], known: frozenset[str], stored: Preference, now: datetime) -> dict[str, Any]:
    """The columns to store. `known`: those categories named in `values` or in the `stored` preference that exist. An
    opt-out from a deleted category stays unless `values` names the category. Raises InvalidInput, naming the field."""
    changed: dict[str, Any] = {}
    if "everything_off" in values:
        changed["everything_off"] = values["everything_off"]
    if "channels" in values:
        changed["channels_off"] = _channels_off(values["channels"], "channels")
    if "categories" in values:
        changed |= _category_columns(values["categories"], known, stored)
    if "preferred_channels" in values:
        changed["preferred_channels"] = _preferred(values["preferred_channels"], known | _stored_keys(stored))
    if "quiet_hours" in values:
        changed["quiet_from"], changed["quiet_until"] = _quiet(values["quiet_hours"])
    if "snoozed_until" in values:
        changed["snoozed_until"] = _snooze(values["snoozed_until"], now)
    if "language" in values:
        changed["language"] = values["language"] or ""
    return changed


def _category_columns(switches: Mapping[str, Any], known: frozenset[str], stored: Preference) -> dict[str, list[str]]:
    """The opt-outs and opt-ins to store. Those of deleted categories stay unless `switches` names the category."""
    choices = read_categories(switches, known | _stored_keys(stored))
    return {
        column: [e for e in before if _key(e) not in known and _key(e) not in switches] + entries
        for column, before, entries in (
            ("categories_off", stored.categories_off, choices[False]),
            ("categories_on", stored.categories_on, choices[True]),
        )
    }


def shown(preference: Preference, now: datetime | None = None) -> dict[str, Any]:
    """The stored preference as the API shows it. A snooze that is over is not shown."""
    until, now = preference.snoozed_until, now or datetime.now(UTC)
    quiet = None
    if preference.quiet_from is not None and preference.quiet_until is not None:
        quiet = {"from": f"{preference.quiet_from:%H:%M}", "until": f"{preference.quiet_until:%H:%M}"}
    return {
        "everything_off": preference.everything_off,
        "channels": {name: name not in preference.channels_off for name in sorted(channels())},
        "categories": _categories(preference.categories_off, preference.categories_on),
        "preferred_channels": dict(sorted(preference.preferred_channels.items())),
        "quiet_hours": quiet,
        "snoozed_until": until if until is not None and until > now else None,
        "language": preference.language,
    }


def _categories(off: Sequence[str], on: Sequence[str]) -> dict[str, Any]:
    """Category -> true, false, or its channels with true and false. An opt-out counts more than an opt-in."""
    categories: dict[str, Any] = {key: False for key in off if ":" not in key}
    categories |= {key: True for key in on if ":" not in key and key not in categories}
    for switch, entries in ((True, on), (False, off)):
        for key, colon, channel in (entry.partition(":") for entry in entries):
            if not colon or categories.get(key) is False:
                continue
            if categories.get(key) is True:
                # the opt-in to all channels, but for those with an opt-out
                categories[key] = dict.fromkeys(sorted(channels()), True)
            categories.setdefault(key, {})[channel] = switch
    return dict(sorted(categories.items()))


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


def read_categories(switches: Mapping[str, Any], known: frozenset[str]) -> dict[bool, list[str]]:
    """The entries of `categories_off` (False) and of `categories_on` (True)."""
    choices: dict[bool, list[str]] = {False: [], True: []}
    for key, switch in sorted(switches.items()):
        field = f"categories.{key[:64]}"
        if key not in known:
            raise InvalidInput("There is no such category.", field=field, code="unknown_category")
        if isinstance(switch, Mapping):
            off = _channels_off(switch, field)
            choices[False] += [f"{key}:{name}" for name in off]
            choices[True] += [f"{key}:{name}" for name in sorted(switch) if name not in off]
        elif not isinstance(switch, bool):
            raise InvalidInput("Must be true, false or an object of channels.", field=field)
        else:
            choices[switch].append(key)
    return choices


def _preferred(chosen: Mapping[str, Any], known: frozenset[str]) -> dict[str, str]:
    for key, name in chosen.items():
        field = f"preferred_channels.{key[:64]}" if key else "preferred_channels"
        if key and key not in known:
            raise InvalidInput("There is no such category.", field=field, code="unknown_category")
        if not isinstance(name, str) or name not in channels():
            listed = ", ".join(sorted(channels()))
            raise InvalidInput(f"Must be a channel; known: {listed}.", field=field, code="unknown_channel")
    return dict(chosen)


def _snooze(until: datetime | None, now: datetime) -> datetime | None:
    if until is not None and until <= now:
        raise InvalidInput("Is in the past; null for no snooze.", field="snoozed_until", code="in_the_past")
    if until is not None and until > now + LONGEST_SNOOZE:
        raise InvalidInput(
            f"Is more than {LONGEST_SNOOZE.days} days ahead; everything_off has no end.",
            field="snoozed_until",
            code="too_far_ahead",
        )
    return until


def _quiet(hours: Mapping[str, str] | None) -> tuple[time | None, time | None]:
    if hours is None:
        return None, None
    if hours["from"] == hours["until"]:
        raise InvalidInput("Must not begin and end at the same time; null for none.", field="quiet_hours")
    return time.fromisoformat(hours["from"]), time.fromisoformat(hours["until"])
