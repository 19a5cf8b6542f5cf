"""The vocabulary of the audience builder: which fields it offers, their operators in words, and how a value is typed.

The builder in the browser (static/audiences/builder.js) reads it as JSON, and writes the same filter as the API takes.
A choice is `[value, label]`. An input is one of: `text`, `number`, `date`, `days`, `choice` (one of the choices),
`tokens` (several values, with choices or suggestions), `none` (the operator carries its value).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from campaigns.audience.catalogue import Attribute, Catalogue, Kind, catalogue_of
from campaigns.audience.segments.checking import MAX_CONDITIONS, MAX_LEVELS
from campaigns.audience.segments.membership import CHANNELS
from campaigns.models import Audience, Campaign
from campaigns.states import State
from notifier.values.countries import prefixes_by_country
from tenants.models import Category, Recipient, Tenant
from tenants.people.platforms import platforms

Text = str | Promise
#: lists, campaigns that are offered, newest first
MAX_CHOICES = 200


@dataclass(frozen=True)
class Operator:
    """`value`: of an operator that carries it, such as "is known"."""

    op: str
    label: Text
    input: str
    value: Any = None


@dataclass(frozen=True)
class Field:
    """One field. `choices` are all values, `suggestions` some."""

    name: str
    label: Text
    operators: Sequence[Operator]
    choices: Sequence[tuple[str, Text]] = ()
    suggestions: Sequence[str] = ()
    hint: Text = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "label": str(self.label),
            "hint": str(self.hint),
            "operators": [
                {"op": o.op, "label": str(o.label), "input": o.input, "value": o.value} for o in self.operators
            ],
            "choices": [[value, str(label)] for value, label in self.choices],
            "suggestions": list(self.suggestions),
        }


@dataclass(frozen=True)
class FieldGroup:
    label: Text
    fields: Sequence[Field] = field(default_factory=list)


# ---- operators -----------------------------------------------------------------------------------------------------

_KNOWN = (
    Operator("exists", gettext_lazy("is known"), "none", True),
    Operator("exists", gettext_lazy("is not known"), "none", False),
)
_IS = (Operator("eq", gettext_lazy("is"), "text"), Operator("ne", gettext_lazy("is not"), "text"))
_ONE_OF = (
    Operator("in", gettext_lazy("is one of"), "tokens"),
    Operator("not_in", gettext_lazy("is none of"), "tokens"),
)
_TEXT = (
    *_IS,
    *_ONE_OF,
    Operator("contains", gettext_lazy("contains"), "text"),
    Operator("prefix", gettext_lazy("begins with"), "text"),
    *_KNOWN,
)
_NUMBER = (
    Operator("eq", pgettext_lazy("number", "equals"), "number"),
    Operator("ne", pgettext_lazy("number", "does not equal"), "number"),
    Operator("gt", gettext_lazy("is more than"), "number"),
    Operator("gte", gettext_lazy("is at least"), "number"),
    Operator("lt", gettext_lazy("is less than"), "number"),
    Operator("lte", gettext_lazy("is at most"), "number"),
    *_KNOWN,
)
_BOOLEAN = (
    Operator("eq", gettext_lazy("is yes"), "none", True),
    Operator("eq", gettext_lazy("is no"), "none", False),
    *_KNOWN,
)
_COMPARED_DATE = (
    Operator("gte", gettext_lazy("is on or after"), "date"),
    Operator("lt", gettext_lazy("is before"), "date"),
)
_SPAN = (
    Operator("within_days", gettext_lazy("is in the last … days"), "days"),
    Operator("not_within_days", gettext_lazy("is not in the last … days"), "days"),
)
_DATE = (
    *_COMPARED_DATE,
    *_SPAN,
    Operator("days_ago", gettext_lazy("is exactly … days ago"), "days"),
    Operator("within_next_days", gettext_lazy("is in the next … days"), "days"),
    *_KNOWN,
)
_LIST = (
    Operator("contains", pgettext_lazy("list", "has the entry"), "text"),
    *_KNOWN,
)
_CHOICE = (Operator("eq", gettext_lazy("is"), "choice"), Operator("ne", gettext_lazy("is not"), "choice"))
_HAS = (Operator("eq", gettext_lazy("has"), "choice"), Operator("ne", gettext_lazy("does not have"), "choice"))
_IN_LIST = (
    Operator("eq", gettext_lazy("is in the list"), "choice"),
    Operator("ne", gettext_lazy("is not in the list"), "choice"),
)
_TO = (Operator("eq", gettext_lazy("to"), "choice"), Operator("ne", gettext_lazy("not to"), "choice"))
_DID = (
    Operator("within_days", gettext_lazy("in the last … days"), "days"),
    Operator("not_within_days", gettext_lazy("not in the last … days"), "days"),
)
_CAMPAIGN = (Operator("eq", gettext_lazy("yes:"), "choice"), Operator("ne", gettext_lazy("no:"), "choice"))
_OF_KIND = {Kind.TEXT: _TEXT, Kind.NUMBER: _NUMBER, Kind.BOOLEAN: _BOOLEAN, Kind.DATE: _DATE, Kind.LIST: _LIST}
_KIND_LABELS = {
    Kind.TEXT: gettext_lazy("text"),
    Kind.NUMBER: gettext_lazy("number"),
    Kind.BOOLEAN: gettext_lazy("yes or no"),
    Kind.DATE: gettext_lazy("date"),
    Kind.LIST: gettext_lazy("list"),
}
CHANNEL_LABELS: dict[str, Text] = {
    "push": gettext_lazy("push"),
    "email": gettext_lazy("email"),
    "sms": gettext_lazy("SMS"),
    "chat": gettext_lazy("chat"),
    "in_app": gettext_lazy("inbox"),
}
PLATFORM_LABELS: dict[str, str] = {
    "fcm": "Android (FCM)",
    "apns": "iOS (APNs)",
    "webpush": "Web Push",
    "expo": "Expo",
    "hms": "Huawei (HMS)",
}


# ---- fields --------------------------------------------------------------------------------------------------------


def vocabulary(tenant: Tenant) -> dict[str, Any]:
    """What the builder of this tenant offers, as JSON."""
    catalogue = catalogue_of(tenant.pk)
    groups = [_person(catalogue), _attributes(catalogue), _reach(tenant, catalogue), _activity(tenant)]
    return {
        "groups": [
            {"label": str(group.label), "fields": [one.as_json() for one in group.fields]}
            for group in groups
            if group.fields
        ],
        "kinds": [
            {"kind": kind.value, "label": str(_KIND_LABELS[kind]), **Field("", "", operators).as_json()}
            for kind, operators in _OF_KIND.items()
        ],
        "max_conditions": MAX_CONDITIONS,
        "max_levels": MAX_LEVELS,
        "looked_at": catalogue.looked_at,
    }


def _person(catalogue: Catalogue) -> FieldGroup:
    countries = [(code, code) for code in sorted(prefixes_by_country())]
    states = [(value, str(label)) for value, label in Recipient.State.choices]
    return FieldGroup(
        gettext_lazy("Person"),
        [
            Field("country", gettext_lazy("country"), (*_CHOICE, *_ONE_OF), countries, hint=_country_hint()),
            Field("locale", gettext_lazy("language"), _TEXT, suggestions=catalogue.locales),
            Field("timezone", gettext_lazy("time zone"), _TEXT, suggestions=catalogue.timezones),
            Field("created_at", gettext_lazy("created"), _without(_DATE, "within_next_days", "exists")),
            Field("external_id", gettext_lazy("your id"), _without(_TEXT, "exists")),
            Field("name", gettext_lazy("name"), _TEXT),
            Field("email", gettext_lazy("email address"), _TEXT),
            Field("phone", gettext_lazy("phone number"), _TEXT),
            Field("status", gettext_lazy("status"), _CHOICE, states),
        ],
    )


def _country_hint() -> Text:
    return gettext_lazy("Of the phone number; without one, of the language, such as AT of de-AT.")


def _without(operators: Iterable[Operator], *names: str) -> tuple[Operator, ...]:
    return tuple(operator for operator in operators if operator.op not in names)


def _attributes(catalogue: Catalogue) -> FieldGroup:
    return FieldGroup(gettext_lazy("Attributes"), [attribute_field(one) for one in catalogue.attributes])


def attribute_field(attribute: Attribute) -> Field:
    """A field for an attribute, with the operators of its kind."""
    label = f"{attribute.path} ({_KIND_LABELS[attribute.kind]})"
    name = f"attributes.{attribute.path}"
    return Field(name, label, _OF_KIND[attribute.kind], suggestions=attribute.frequent)


def _reach(tenant: Tenant, catalogue: Catalogue) -> FieldGroup:
    categories = [
        (category.key, category.name)
        for category in Category.objects.filter(tenant=tenant).order_by("name")[:MAX_CHOICES]
    ]
    lists = Audience.objects.filter(tenant=tenant, source=Audience.Source.LIST).order_by("-id")
    list_choices = [(str(pk), name) for pk, name in lists.values_list("pk", "name")[:MAX_CHOICES]]
    found = [
        Field("channel", gettext_lazy("channel"), _HAS, [(name, CHANNEL_LABELS[name]) for name in CHANNELS]),
        Field(
            "device.platform",
            gettext_lazy("device"),
            (*_HAS, *_KNOWN),
            [(name, PLATFORM_LABELS.get(name, name)) for name in platforms()],
        ),
        Field("device.app", gettext_lazy("app on a device"), (*_IS, *_ONE_OF), suggestions=catalogue.apps),
        Field("device.last_seen_at", gettext_lazy("device last seen"), (*_COMPARED_DATE, *_SPAN)),
        Field("opted_in", gettext_lazy("opted in"), _TO, categories),
        Field("opted_out", gettext_lazy("opted out"), _TO, categories),
        Field("list", gettext_lazy("uploaded list"), _IN_LIST, list_choices),
    ]
    return FieldGroup(gettext_lazy("Channels, consent and lists"), [one for one in found if _is_usable(one)])


def _is_usable(one: Field) -> bool:
    """Whether a field that needs choices has some."""
    return bool(one.choices) or not any(operator.input == "choice" for operator in one.operators)


def _activity(tenant: Tenant) -> FieldGroup:
    launched = Campaign.objects.filter(tenant=tenant, launched_at__isnull=False).exclude(state=State.DRAFT)
    campaigns = [(str(pk), name) for pk, name in launched.order_by("-id").values_list("pk", "name")[:MAX_CHOICES]]
    found = [
        Field("opened", gettext_lazy("opened any message"), _DID),
        Field("clicked", gettext_lazy("clicked any message"), _DID),
        Field("got_campaign", gettext_lazy("got the campaign"), _CAMPAIGN, campaigns),
        Field("opened_campaign", gettext_lazy("opened the campaign"), _CAMPAIGN, campaigns),
        Field("clicked_campaign", gettext_lazy("clicked the campaign"), _CAMPAIGN, campaigns),
    ]
    return FieldGroup(gettext_lazy("Activity"), [one for one in found if _is_usable(one)])


def texts() -> dict[str, str]:
    """What the builder's script says."""
    return {
        "all": _("all of these"),
        "any": _("at least one of these"),
        "none": _("none of these"),
        "match": _("People match"),
        "field": _("Field"),
        "operator": _("Comparison"),
        "value": _("Value"),
        "choose": _("Choose a field …"),
        "choose_value": _("Choose …"),
        "add_condition": _("Add a condition"),
        "add_group": _("Add a group"),
        "remove_condition": _("Remove this condition"),
        "remove_group": _("Remove this group"),
        "another": _("Another attribute …"),
        "attribute": _("Name of the attribute"),
        "kind": _("Its values are"),
        "add_value": _("Type a value, then Enter"),
        "remove_value": _("Remove %(value)s"),
        "days": _("days"),
        "condition": _("Condition"),
        "group": _("Group"),
        "broken": _("This is no valid JSON, so the conditions above are not changed."),
        "unfinished": _("Complete the conditions to see how many people they find."),
        "counting": _("Counting …"),
        "unavailable": _("The count is not available now."),
        "removed": _("Removed."),
        "limit": _("A filter may have %(number)s conditions."),
    }
