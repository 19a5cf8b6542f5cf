"""What the page of a template shows of its content: a tab for each channel, a pill for each locale, a field for each
part, with the mistakes beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _

from notifier.admin.composer.changes import default_of
from notifier.admin.composer.parts import PartField, channel_names, fields_of, name_in_words
from notifier.channels import channels
from notifier.delivery.content.liquid.mistake_places import Place, line_and_column
from notifier.errors import NotifierError
from notifier.models import TemplateVersion

#: state of a locale -> its words
STATES = {
    "default": _("default"),
    "ok": _("up to date"),
    "outdated": _("outdated: the default changed later"),
    "missing": _("empty"),
}


@dataclass(frozen=True)
class Mistake:
    """A mistake beside a field. `place`: where in its text, if that is known."""

    message: str
    place: Place | None = None


@dataclass(frozen=True)
class FieldValue:
    """A field with what it holds. `pairs`: number, key and text of each entry of an object, and a free one at the end;
    `files`: the entry as JSON, and its name."""

    part: PartField
    channel: str
    locale: str
    text: str = ""
    pairs: Sequence[tuple[int, str, str]] = ()
    files: Sequence[tuple[str, str]] = ()
    mistakes: Sequence[Mistake] = ()

    @property
    def id(self) -> str:
        return f"composer-{self.channel}-{self.locale}-{self.part.name}"

    @property
    def where(self) -> str:
        return f"{self.channel}:{self.locale}:{self.part.name}"


@dataclass(frozen=True)
class LocaleTab:
    """One locale of a channel."""

    tag: str
    state: str
    plain: Sequence[FieldValue]
    advanced: Sequence[FieldValue]
    mistakes: Sequence[Mistake] = ()

    @property
    def state_text(self) -> Any:
        return STATES[self.state]

    @property
    def count(self) -> int:
        """Mistakes in it."""
        return len(self.mistakes) + sum(len(each.mistakes) for each in (*self.plain, *self.advanced))

    @property
    def has_advanced(self) -> bool:
        """Whether a field below "Advanced" holds something."""
        return any(v.text or v.files or len(v.pairs) > 1 or v.mistakes for v in self.advanced)


@dataclass(frozen=True)
class ChannelTab:
    """One channel."""

    name: str
    label: str
    locales: Sequence[LocaleTab]
    mistakes: Sequence[Mistake] = ()

    @property
    def count(self) -> int:
        return len(self.mistakes) + sum(locale.count for locale in self.locales)


@dataclass(frozen=True)
class Editor:
    """The whole editor. `mistakes`: those of no single channel."""

    tabs: Sequence[ChannelTab]
    other_channels: Sequence[tuple[str, str]]
    mistakes: Sequence[Mistake] = ()
    can_edit: bool = True
    context: Mapping[str, Any] = field(default_factory=dict)


def editor_of(
    content: Mapping[str, Mapping[str, Mapping[str, Any]]],
    default_locale: str,
    latest: TemplateVersion | None,
    errors: Sequence[NotifierError] = (),
) -> Editor:
    """The editor of a content that may not be published yet."""
    # by name: the database keeps no order of its own
    known = {name: content[name] for name in sorted(content) if name in channels()}
    tabs = [_tab(name, by_locale, default_locale, latest, errors) for name, by_locale in known.items()]
    of_tabs = tuple(f"content.{name}" for name in known)
    rest = [e for e in errors if not any(_is_in(e.field or "", prefix) for prefix in of_tabs)]
    others = [(name, label) for name, label in channel_names() if name not in content]
    return Editor(tabs, others, [_mistake(error) for error in rest])


def state_of(name: str, locale: str, content: Mapping[str, Any], default: str | None, latest: Any) -> str:
    """`default`, `ok`, `outdated` or `missing`. A content that differs from the newest version's counts as changed in
    the version to come."""
    by_locale = content[name]
    if locale == default:
        return "default"
    if not any(by_locale[locale].values()):
        return "missing"
    if default is None or latest is None:
        return "ok"

    def changed(tag: str) -> int:
        if latest.content.get(name, {}).get(tag) != by_locale[tag]:
            return int(latest.number) + 1
        return int(latest.changed_in.get(name, {}).get(tag, 1))

    return "outdated" if changed(default) > changed(locale) else "ok"


def _tab(
    name: str, by_locale: Mapping[str, Any], default_locale: str, latest: Any, errors: Sequence[NotifierError]
) -> ChannelTab:
    fields = fields_of(channels()[name])
    default = default_of(dict(by_locale), default_locale)
    locales = []
    # the default comes first
    for tag in sorted(by_locale, key=lambda tag: (tag != default, tag)):
        field_name = f"content.{name}.{tag}"
        values = [_value(part, name, tag, by_locale[tag].get(part.name), errors) for part in fields]
        own = [e for e in errors if e.field == field_name or _is_of_no_part(e, field_name, by_locale, fields)]
        locales.append(
            LocaleTab(
                tag,
                state_of(name, tag, {name: by_locale}, default, latest),
                [value for value in values if not value.part.advanced],
                [value for value in values if value.part.advanced],
                [_mistake(error) for error in own],
            )
        )
    of_channel = [
        _mistake(e)
        for e in errors
        if _is_in(e.field or "", f"content.{name}")
        and not any(_is_in(e.field or "", f"content.{name}.{tag}") for tag in by_locale)
    ]
    return ChannelTab(name, name_in_words(name), locales, of_channel)


def _is_of_no_part(error: NotifierError, prefix: str, by_locale: Any, fields: Sequence[PartField]) -> bool:
    """Whether an error of the locale names a part that the channel does not have."""
    return _is_in(error.field or "", prefix) and not any(
        _is_in(error.field or "", f"{prefix}.{part.name}") for part in fields
    ) and error.field != prefix  # fmt: skip


def _is_in(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def _value(part: PartField, name: str, tag: str, value: Any, errors: Sequence[NotifierError]) -> FieldValue:
    field_name = f"content.{name}.{tag}.{part.name}"
    text = value if isinstance(value, str) else ""
    mistakes = [_mistake(error, text, field_name) for error in errors if _is_in(error.field or "", field_name)]
    pairs: list[tuple[int, str, str]] = []
    files: list[tuple[str, str]] = []
    if part.kind == "pairs":
        entries = value if isinstance(value, Mapping) else {}
        pairs = [(n, key, str(text)) for n, (key, text) in enumerate([*entries.items(), ("", "")])]
    if part.kind == "files" and isinstance(value, list):
        files = [(json.dumps(entry), _file_name(entry)) for entry in value]
    return FieldValue(part, name, tag, text, pairs, files, mistakes)


def _file_name(entry: Any) -> str:
    return str(entry.get("name", "?")) if isinstance(entry, Mapping) else str(entry)[:60]


def _mistake(error: NotifierError, text: str = "", field_name: str = "") -> Mistake:
    inner = (error.field or "")[len(field_name) + 1 :] if field_name else ""
    place = line_and_column(text, error.at) if text and error.at is not None else None
    return Mistake(f"{inner}: {error.message}" if inner else error.message, place)
