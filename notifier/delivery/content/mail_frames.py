"""The page of an email inside of a frame of the admin's preview, in light and in dark."""

from __future__ import annotations

import re

from notifier.delivery.content.liquid.render_budget import MAX_OUTPUT

MOST_CHARACTERS = MAX_OUTPUT
#: no script, no form, an origin of its own; pictures and fonts load from https addresses and from this site, as in a
#: mail program
POLICY = (
    "default-src 'none'; img-src 'self' https: data:; style-src 'unsafe-inline' https:; font-src https: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"
)
_DARK = re.compile(r"\(\s*prefers-color-scheme\s*:\s*dark\s*\)", re.IGNORECASE)
_LIGHT = re.compile(r"\(\s*prefers-color-scheme\s*:\s*light\s*\)", re.IGNORECASE)
_NO_MARGIN = "<style>html{overflow-wrap:anywhere}</style>"
_IN_DARK = "<style>:root{color-scheme:dark}</style>"


def framed(html: str, *, dark: bool = False) -> str:
    """The page. `dark`: the rules of the page for dark mode hold, whatever the viewer's system says; a page without
    such rules stands on a dark ground, as mail programs show it."""
    if not html.lstrip()[:9].lower().startswith("<!doctype"):
        html = f"<!doctype html>{html}"
    if not dark:
        return html + _NO_MARGIN
    html = _DARK.sub("(min-width:0)", html)
    html = _LIGHT.sub("(max-width:0)", html)
    return html + _NO_MARGIN + _IN_DARK
