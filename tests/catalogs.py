"""Reads the catalogs of locale/ with the standard library: the source (.po) and the compiled one (.mo)."""

from __future__ import annotations

import ast
import gettext
from dataclasses import dataclass, field
from pathlib import Path

LOCALE = Path(__file__).resolve().parent.parent / "locale"
LANGUAGES = ("de", "es")


@dataclass
class Entry:
    """One text: `fields` holds msgctxt, msgid, msgid_plural, msgstr or msgstr[0], msgstr[1]."""

    fuzzy: bool = False
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def msgid(self) -> str:
        return self.fields["msgid"]

    @property
    def translations(self) -> list[str]:
        return [text for name, text in self.fields.items() if name.startswith("msgstr")]

    def compiled(self) -> dict[str | tuple[str, int], str]:
        """What GNUTranslations holds for this entry."""
        context = self.fields.get("msgctxt")
        key = self.msgid if context is None else f"{context}\x04{self.msgid}"
        if "msgid_plural" not in self.fields:
            return {key: self.fields["msgstr"]}
        return {(key, form): text for form, text in enumerate(self.translations)}


def read_source(language: str) -> list[Entry]:
    """The entries of the .po file, without its header."""
    text = (LOCALE / language / "LC_MESSAGES" / "django.po").read_text("utf-8")
    return [entry for entry in map(_read_entry, text.split("\n\n")) if entry.fields.get("msgid")]


def read_compiled(language: str) -> dict[str | tuple[str, int], str]:
    """The texts of the .mo file, without its header."""
    with (LOCALE / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        catalog = dict(gettext.GNUTranslations(file)._catalog)  # type: ignore[attr-defined]
    catalog.pop("", None)
    return catalog


def _read_entry(block: str) -> Entry:
    entry, name = Entry(), ""
    for row in block.splitlines():
        if row.startswith("#"):
            entry.fuzzy |= row.startswith("#,") and "fuzzy" in row
        elif row.startswith('"'):
            entry.fields[name] += ast.literal_eval(row)
        elif row:
            name, _, quoted = row.partition(" ")
            entry.fields[name] = ast.literal_eval(quoted)
    return entry
