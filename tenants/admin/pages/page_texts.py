"""The form fields of a tenant's own texts for its recipients' preferences page: a title, an intro and a footer in each
language that the page has. They are stored in `Tenant.page_texts`, as plain text that the page escapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

#: the languages of the page (notifier.web.preferences.texts)
LANGUAGES = {"en": "English", "de": "German", "es": "Spanish"}
_KINDS = {"title": ("title", 200, 1), "intro": ("text above", 1000, 3), "footer": ("text below", 1000, 3)}
FIELDS = tuple(f"page_{kind}_{language}" for language in LANGUAGES for kind in _KINDS)


def fields_for(language: str) -> list[forms.CharField]:
    """The fields of title, intro and footer in a language, in this order."""
    return [
        forms.CharField(
            required=False,
            max_length=longest,
            label=f"{name}, {LANGUAGES[language]}",
            widget=forms.Textarea(attrs={"rows": rows, "cols": 60})
            if rows > 1
            else forms.TextInput(attrs={"size": 60}),
        )
        for name, longest, rows in _KINDS.values()
    ]


def initial_values(texts: Mapping[str, Any]) -> dict[str, str]:
    """What the fields show of the stored texts."""
    return {f"page_{k}_{lang}": texts.get(lang, {}).get(k, "") for lang in LANGUAGES for k in _KINDS}


def texts_of(values: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The texts to store: language -> kind -> text, without empty ones."""
    texts = {
        language: {kind: text for kind in _KINDS if (text := values.get(f"page_{kind}_{language}") or "")}
        for language in LANGUAGES
    }
    return {language: kinds for language, kinds in texts.items() if kinds}
