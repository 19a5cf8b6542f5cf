"""What each column of a file means. Columns come in any order and case; spaces and hyphens count as underscores.

A synonym counts only while the column itself is absent. Every other column is an attribute, under its own name or, for
`attributes.plan`, under `plan`. A dot makes levels (`billing.country`), and a suffix states a type (`points:number`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from notifier.values.trim import trimmed
from tenants.imports.column_types import AttributeType
from tenants.imports.csv_file import LINE_COLUMN, PROBLEM_COLUMN, UnreadableFile
from tenants.people import attributes as rules

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "external_id": ("externalid", "user_id", "userid", "customer_id", "customerid", "id", "uid"),
    "name": ("full_name", "fullname"),
    "email": ("e_mail", "email_address", "mail"),
    "phone": ("phone_number", "mobile", "mobile_number", "msisdn", "telephone", "tel"),
    "locale": ("language", "lang"),
    "timezone": ("time_zone", "tz"),
    "push_token": ("token", "device_token", "fcm_token", "registration_token"),
    "push_platform": ("platform", "device_platform"),
    "app": ("app_id",),
}
FIELDS = tuple(SYNONYMS)
_PREFIX = "attributes."
MAX_COLUMNS = 200


@dataclass(frozen=True)
class AttributeColumn:
    """A column whose values become the attribute at `path`. `type` is the type that the header states."""

    path: tuple[str, ...]
    index: int
    type: AttributeType | None = None

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True)
class Columns:
    """The index of each field's column, and the attribute columns."""

    fields: Mapping[str, int]
    attributes: tuple[AttributeColumn, ...]


def normalize_name(name: str) -> str:
    """A column's name without differences of case, spaces, line breaks and hyphens."""
    return "_".join(trimmed(name).casefold().replace("-", " ").split())


def parse_header(header: Sequence[str]) -> Columns:
    """The meaning of a header. Raises UnreadableFile for a header without external_id, or an ambiguous one."""
    if len(header) > MAX_COLUMNS:
        raise UnreadableFile(f"Its header names {len(header)} columns; at most {MAX_COLUMNS} are read.")
    names = [normalize_name(name) for name in header]
    _check_no_repeats(header, names)
    fields = {field: index for field in FIELDS if (index := _index_of(field, names)) is not None}
    if "external_id" not in fields:
        known = ", ".join(FIELDS)
        raise UnreadableFile(
            f"Its first line names no column external_id. Columns it may name: {known}; others are attributes."
        )
    no_attributes = {*fields.values(), *(i for i, name in enumerate(names) if name in (LINE_COLUMN, PROBLEM_COLUMN))}
    attributes = tuple(_parse_attribute(name, i) for i, name in enumerate(header) if i not in no_attributes)
    _check_no_repeats([a.name for a in attributes], [a.name for a in attributes])
    _check_levels(attributes)
    return Columns(fields, attributes)


def external_id_column(header: Sequence[str]) -> int | None:
    """The index of the column with the ids of recipients."""
    return _index_of("external_id", [normalize_name(name) for name in header])


def _check_no_repeats(header: Sequence[str], names: Sequence[str]) -> None:
    """Raise UnreadableFile, quoting the header, when two of the normalized names are equal or one is empty."""
    for i, name in enumerate(names):
        if not name:
            raise UnreadableFile(f"Column {i + 1} has no name.")
        if name in names[:i]:
            raise UnreadableFile(f"Its header names the column {header[i]!r} twice.")


def _index_of(field: str, names: Sequence[str]) -> int | None:
    if field in names:
        return names.index(field)
    synonyms = [name for name in SYNONYMS[field] if name in names]
    if len(synonyms) > 1:
        raise UnreadableFile(f"Both {synonyms[0]!r} and {synonyms[1]!r} could be {field}; name one of them {field}.")
    return names.index(synonyms[0]) if synonyms else None


def _parse_attribute(header: str, index: int) -> AttributeColumn:
    name, colon, suffix = header.rpartition(":")
    stated = AttributeType(suffix) if colon and (suffix := normalize_name(suffix)) in list(AttributeType) else None
    key = trimmed(name) if stated else trimmed(header)
    if key.casefold().startswith(_PREFIX):
        key = trimmed(key[len(_PREFIX) :])
    path = tuple(trimmed(part) for part in key.split("."))
    if len(path) > rules.MAX_DEPTH or not all(map(rules.is_key, path)):
        raise UnreadableFile(
            f"{header[:80]!r} is no name of an attribute: up to {rules.MAX_DEPTH} keys of 1 to {rules.MAX_KEY} "
            "printable characters, joined by dots."
        )
    return AttributeColumn(path, index, stated)


def _check_levels(attributes: Sequence[AttributeColumn]) -> None:
    """Raise UnreadableFile for `billing` beside `billing.country`: a value cannot also hold other values."""
    names = {attribute.path: attribute.name for attribute in attributes}
    for path, name in names.items():
        for end in range(1, len(path)):
            if path[:end] in names:
                raise UnreadableFile(
                    f"Its header names {names[path[:end]]!r} and {name!r}; an attribute is a value or holds others."
                )
