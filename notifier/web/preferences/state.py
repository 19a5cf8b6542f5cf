"""What the page shows: the recipient's choices, as stored."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from notifier.api.people.preferences import shown
from notifier.channels import channels
from notifier.delivery.opt_in.requests import unconfirmed
from notifier.delivery.planning.recipients import load_by_ids
from notifier.models import Template
from notifier.values import zones
from notifier.vocabulary.people import Person
from notifier.vocabulary.status import Kind
from tenants.models import Category, OptIn, Preference, Tenant

#: templates that are looked at for their locales
_TEMPLATES = 100


@dataclass(frozen=True)
class Switch:
    """A channel, or a category on a channel, that the recipient may turn off."""

    name: str
    label: str
    on: bool


@dataclass(frozen=True)
class CategoryChoice:
    """A category, and a switch for each channel that the page shows; without switches it is essential. `preferred`: the
    channel that the recipient chose for it. `unconfirmed`: the recipient asked for it, and a mail waits for the
    answer."""

    key: str
    name: str
    description: str
    switches: tuple[Switch, ...]
    preferred: str = ""
    unconfirmed: bool = False


@dataclass(frozen=True)
class State:
    """Everything about one recipient that the page needs."""

    tenant: Tenant
    person: Person
    preferences: Mapping[str, Any]  #: as the API shows them
    categories: Sequence[Category]
    unconfirmed: frozenset[str] = frozenset()  #: categories whose opt-in waits for the recipient's confirmation

    @property
    def channels(self) -> list[str]:
        """The channels that reach this recipient, and those that are off."""
        on = self.preferences["channels"]
        return [name for name, kind in sorted(channels().items()) if kind.addresses(self.person) or not on[name]]

    @property
    def optional(self) -> list[Category]:
        """The categories that may be turned off."""
        return [category for category in self.categories if category.kind != Kind.CRITICAL]

    @property
    def zone(self) -> ZoneInfo:
        """The recipient's time zone, else the tenant's."""
        return zones.zone(self.person.timezone or self.tenant.timezone)

    def needs_opt_in(self, category: Category) -> bool:
        """Whether the category is off until the recipient asks for it."""
        stated = category.opt_in or (self.tenant.opt_in if category.kind == Kind.MARKETING else OptIn.OFF)
        return category.kind != Kind.CRITICAL and stated != OptIn.OFF

    def is_on(self, category: Category, channel: str) -> bool:
        choice, default = self.preferences["categories"].get(category.key), not self.needs_opt_in(category)
        if choice is None:
            return default
        return bool(choice.get(channel, default) if isinstance(choice, Mapping) else choice)

    def preferred(self, category: str = "") -> str:
        """The channel that the recipient chose for the category; "" for none. Without a category: for all of them."""
        return str(self.preferences["preferred_channels"].get(category, ""))


def load_state(tenant_id: uuid.UUID, recipient_id: uuid.UUID) -> State | None:
    """None for a recipient who does not exist any more or was erased. Needs the tenant's scope."""
    tenant = Tenant.objects.filter(pk=tenant_id).first()
    person = load_by_ids(tenant_id, [recipient_id]).get(recipient_id)
    if tenant is None or person is None or person.status == "erased":
        return None
    stored = Preference.objects.filter(recipient_id=recipient_id).first() or Preference()
    categories = list(Category.objects.filter(tenant_id=tenant_id, archived_at=None).order_by("name", "key"))
    waiting = frozenset(unconfirmed(recipient_id, datetime.now(UTC)))
    return State(tenant, person, shown(stored), categories, waiting)


def channel_switches(state: State, labels: Mapping[str, str]) -> list[Switch]:
    on = state.preferences["channels"]
    return [Switch(name, labels.get(name, name), on[name]) for name in state.channels]


def category_choices(state: State, labels: Mapping[str, str]) -> list[CategoryChoice]:
    """The categories in the order of their names, the essential ones last."""
    choices = [_choice(state, category, labels) for category in state.categories]
    return sorted(choices, key=lambda choice: not choice.switches)


def _choice(state: State, category: Category, labels: Mapping[str, str]) -> CategoryChoice:
    names: Iterable[str] = state.channels if category.kind != Kind.CRITICAL else ()
    switches = tuple(Switch(name, labels.get(name, name), state.is_on(category, name)) for name in names)
    return CategoryChoice(
        category.key,
        category.name,
        category.description,
        switches,
        state.preferred(category.key),
        category.key in state.unconfirmed,
    )


def channel_options(state: State, chosen: Collection[str], labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """The channels that the recipient can prefer: those that reach the recipient, and those `chosen` already."""
    return [(name, labels.get(name, name)) for name in sorted({*state.channels, *chosen} - {""})]


def languages_of(state: State) -> list[str]:
    """The locales that the tenant's templates have, and those of recipient and tenant."""
    newest = Template.objects.filter(tenant=state.tenant).order_by("-id")[:_TEMPLATES].values_list("pk", flat=True)
    locales = {state.tenant.default_locale, state.person.locale, state.preferences["language"], *_locales(list(newest))}
    return sorted(locales - {""})


# only the names leave the database: 20 ms for 100 templates of 100 KB, where loading their contents took 100 ms
_LOCALES = """
SELECT DISTINCT jsonb_object_keys(c.value)
FROM (SELECT DISTINCT ON (template_id) content FROM notifier_templateversion
      WHERE template_id = ANY (%s) ORDER BY template_id, number DESC) v, jsonb_each(v.content) c
"""


def _locales(templates: Sequence[uuid.UUID]) -> set[str]:
    """The locales of the newest versions of these templates."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCALES, [list(templates)])
        return {locale for (locale,) in cursor.fetchall()}
