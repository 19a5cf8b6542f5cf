"""Conditions on where a recipient belongs, as SQL: the country, the channels with an address, uploaded lists, and the
categories that the recipient chose. `ne` and `not_in` are the opposites of `eq` and `in`, for every recipient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from campaigns.audience.segments.conditions import Condition, Sql, values_of
from campaigns.audience.segments.fields import CHANNEL_FIELD, CHOICE_FIELDS, COUNTRY_FIELD, LIST_FIELD
from notifier.channels.chat import ATTRIBUTE as CHAT_ID
from notifier.values.countries import prefixes_by_country


def membership_sql(condition: Condition) -> Sql:
    values = values_of(condition)
    sql, params = _COMPILERS[condition.field](values)
    return (f"({sql}) IS NOT TRUE" if condition.op in ("ne", "not_in") else sql), params


# ---- country -------------------------------------------------------------------------------------------------------

# the region of a locale in its stored form: AT of de-AT, TW of zh-Hant-TW
_REGION = "substring(r.locale FROM '-([A-Z]{2})(?:-|$)')"


def _country(countries: Sequence[str]) -> Sql:
    """Of the phone number, else of the locale: as for the send windows of SMS."""
    prefixes = [prefix for country in countries for prefix in prefixes_by_country().get(country, ())]
    region = f"r.phone !~ %s AND {_REGION} = ANY(%s::text[])"
    params = [_any_prefix(), list(countries)]
    if not prefixes:
        return region, params
    return f"r.phone ~ %s OR ({region})", [_prefix_pattern(frozenset(countries)), *params]


@cache
def _any_prefix() -> str:
    """A number of any country."""
    return f"^[+]({'|'.join(sorted(p for prefixes in prefixes_by_country().values() for p in prefixes))})"


@cache
def _prefix_pattern(countries: frozenset[str]) -> str:
    """A number of these countries: +1 is a number of the USA unless a longer prefix is Canada's."""
    own = sorted(prefix for country in countries for prefix in prefixes_by_country()[country])
    foreign = [p for country, prefixes in prefixes_by_country().items() if country not in countries for p in prefixes]
    parts = []
    for prefix in own:
        longer = [p[len(prefix) :] for p in foreign if p.startswith(prefix)]
        parts.append(f"{prefix}(?!{'|'.join(longer)})" if longer else prefix)
    return f"^[+]({'|'.join(parts)})"


# ---- channels ------------------------------------------------------------------------------------------------------

# as `addresses` of each channel says
_HAS_ADDRESS: Mapping[str, str] = {
    "email": "r.email <> ''",
    "sms": "r.phone <> ''",
    "push": "EXISTS (SELECT FROM tenants_device d WHERE d.tenant_id = r.tenant_id AND d.recipient_id = r.id"
    " AND d.dead_since IS NULL)",
    "chat": f"jsonb_typeof(r.attributes -> '{CHAT_ID}') IN ('string', 'number') AND r.attributes ->> '{CHAT_ID}' <> ''",
    "in_app": "true",
}
#: the channels that a condition can name
CHANNELS = tuple(_HAS_ADDRESS)


def _channel(names: Sequence[str]) -> Sql:
    return " OR ".join(f"({_HAS_ADDRESS[name]})" for name in names), []


# ---- lists and choices ---------------------------------------------------------------------------------------------

# the tenant is compared, too: a list of another tenant finds nobody
_LIST = (
    "EXISTS (SELECT FROM campaigns_audiencemember m WHERE m.tenant_id = r.tenant_id"
    " AND m.audience_id = ANY(%s::uuid[]) AND m.external_id = r.external_id)"
)
_CHOSE = "EXISTS (SELECT FROM tenants_preference p WHERE p.recipient_id = r.id AND ({}))"


def _list(ids: Sequence[str]) -> Sql:
    return _LIST, [list(ids)]


def _opted_in(entries: Sequence[str]) -> Sql:
    """An opt-in to a category also covers each of its channels. Whoever switched everything off is not opted in."""
    covering = [name for entry in entries for name in dict.fromkeys((entry.partition(":")[0], entry))]
    return _CHOSE.format("NOT p.everything_off AND p.categories_on && %s::varchar[]"), [covering]


def _opted_out(entries: Sequence[str]) -> Sql:
    covering = [name for entry in entries for name in dict.fromkeys((entry.partition(":")[0], entry))]
    return _CHOSE.format("p.everything_off OR p.categories_off && %s::varchar[]"), [covering]


_COMPILERS: Mapping[str, Callable[[Sequence[str]], Sql]] = {
    COUNTRY_FIELD: _country,
    CHANNEL_FIELD: _channel,
    LIST_FIELD: _list,
    **dict(zip(CHOICE_FIELDS, (_opted_in, _opted_out), strict=True)),
}
