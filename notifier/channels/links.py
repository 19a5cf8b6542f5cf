"""What a link in a message may be: one rule for push and in-app, for templates and for rendered messages."""

from __future__ import annotations

import re
from collections.abc import Collection

from notifier.errors import InvalidInput

#: schemes that every browser and phone opens without running code
WEB = frozenset({"http", "https", "mailto", "tel"})
#: schemes that run code, read the device or hold a whole page: no tenant may allow them for its app
NEVER = frozenset({"javascript", "vbscript", "data", "blob", "file", "filesystem", "about", "intent", "view-source"})
#: the scheme at the start of a URL (RFC 3986 §3.1)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
#: a page of the same site. Browsers read "//" and "/\" as another site
_RELATIVE = re.compile(r"/(?![/\\])|[?#]")
#: browsers drop these characters, so that "java\tscript:" would run
_HIDDEN = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u2028\u2029\u2060\ufeff]")
_HOST = re.compile(r"https?://[^/?#\s]", re.IGNORECASE)


def check_link(text: str, schemes: Collection[str], part: str = "link") -> None:
    """Raise InvalidInput, naming the part, unless `text` is empty, an http, https, mailto or tel URL, a path of the
    same site such as /orders/17, or a URL of one of the tenant's app `schemes`."""
    _refuse_hidden(text, part)
    if not text or _RELATIVE.match(text):
        return
    match = _SCHEME.match(text)
    if match is None:
        raise InvalidInput(f"The {part} is no URL: it begins with https://, an app's scheme, or /.", field=part)
    scheme = match[1].lower()
    if scheme not in WEB and (scheme in NEVER or scheme not in schemes):
        raise InvalidInput(
            f"The {part} may not begin with {scheme[:32]}:; "
            "links are http, https, mailto, tel, a path, or of the tenant's app schemes.",
            field=part,
        )
    if scheme in ("http", "https") and not _HOST.match(text):
        raise InvalidInput(f"The {part} names no host.", field=part)


def runs_code(text: str) -> bool:
    """Whether a link has a scheme that no tenant may use."""
    match = _SCHEME.match(_HIDDEN.sub("", text).lstrip())
    return match is not None and match[1].lower() in NEVER


def check_image(text: str, part: str = "image") -> None:
    """Raise InvalidInput, naming the part, unless `text` is empty or an absolute http or https URL."""
    _refuse_hidden(text, part)
    if text and not _HOST.match(text):
        raise InvalidInput(f"The {part} is no URL that begins with https://.", field=part)


def check_scheme(scheme: str) -> str:
    """A tenant's app scheme in lower case, such as `myapp`. Raises InvalidInput."""
    name = scheme.strip().lower().removesuffix("://").removesuffix(":")
    if not re.fullmatch(r"[a-z][a-z0-9+.-]{1,31}", name):
        raise InvalidInput(
            "A scheme begins with a letter and has 2 to 32 letters, digits, +, . or -: myapp.", field="link_schemes"
        )
    if name in NEVER:
        raise InvalidInput(f"{name}: runs code or reads the device, and is never allowed.", field="link_schemes")
    return name


def _refuse_hidden(text: str, part: str) -> None:
    if _HIDDEN.search(text):
        raise InvalidInput(f"The {part} holds a line break or an invisible character.", field=part)
