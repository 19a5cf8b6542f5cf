"""Locales as BCP 47 tags in their canonical case: `pt_BR` and `PT-br` become `pt-BR`."""

from __future__ import annotations

import re

from notifier.errors import InvalidInput
from notifier.values.languages import LANGUAGES

#: characters of the database's columns; the longest usual tag, zh-Hant-TW, has 10
MAX_LENGTH = 16
# language, script, region, variants (RFC 5646, section 2.1); extensions and private parts select no translation
_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
)


def canonical(text: str, field: str = "locale") -> str:
    """The tag in canonical case. Raises InvalidInput, naming the field, unless the text is a locale whose language IANA
    has registered."""
    match = _TAG.fullmatch(text.replace("_", "-").lower()) if len(text) <= MAX_LENGTH else None
    if match is None or match["language"] not in LANGUAGES:
        raise InvalidInput(
            f"{text[:40]!r} is no locale. Give a language of 2 or 3 letters and, if need be, a region: de, de-AT,"
            " zh-Hant-TW.",
            field=field,
        )
    script, region = match["script"] or "", match["region"] or ""
    parts = (match["language"], script.title(), region.upper())
    return "-".join(part for part in parts if part) + match["variants"]
