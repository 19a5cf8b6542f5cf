"""Locales as BCP 47 tags in their canonical case, whichever way they were written: `pt_BR` and `PT-br` are `pt-BR`."""

from __future__ import annotations

import re

from notifier.errors import InvalidInput
from notifier.values.languages import LANGUAGES

#: what the database keeps; the longest usual one, zh-Hant-TW, has 10
MAX_LENGTH = 16
# language, script, region, variants (RFC 5646, section 2.1); extensions and private parts choose no translation
_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
)


def canonical(text: str, field: str = "locale") -> str:
    """The tag in canonical case. Raises InvalidInput, naming the field, for what is no locale: its language must be one
    that IANA registered."""
    found = _TAG.fullmatch(text.replace("_", "-").lower()) if len(text) <= MAX_LENGTH else None
    if found is None or found["language"] not in LANGUAGES:
        raise InvalidInput(
            f"{text[:40]!r} is no locale. Give a language of 2 or 3 letters and, if need be, a region: de, de-AT,"
            " zh-Hant-TW.",
            field=field,
        )
    script, region = found["script"] or "", found["region"] or ""
    parts = (found["language"], script.title(), region.upper())
    return "-".join(part for part in parts if part) + found["variants"]
