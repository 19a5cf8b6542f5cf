"""Replaces the links of an HTML page, and nothing else of it. Pure.

Not a parser of HTML: a page that is read into a tree and written again loses what mail clients need, such as the
conditional comments of Outlook, whose links are replaced as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape

#: an opening tag of a link, also of Outlook's drawings (VML). The quantifiers are possessive: no text makes it slow
_TAG = re.compile(r"<(?:a|area|v:[a-z]+)(?=\s)(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([^\s\"'<>/=]++)(?:\s*+=\s*+(\"[^\"]*+\"|'[^']*+'|[^\s\"'<>]++))?+")
#: browsers take a reference without its semicolon for plain text before `=`: `?a=1&copy=2`
_REFERENCE = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
#: an absolute URL of the web with a host in ASCII, without blanks and control characters
_WEB = re.compile(r"https?://[A-Za-z0-9\[][!-.0-~]*(?:[/?#][^\x00-\x20\x7f]*)?", re.IGNORECASE)
#: an attribute of a link that stays as it is
NO_TRACK = "data-no-track"
_END = re.compile(r"</body\s*>|</html\s*>", re.IGNORECASE)


def replace_links(html: str, replacement: Callable[[str], str | None]) -> str:
    """The page with other targets of its links. `replacement` gets the target of each link without the attribute
    `data-no-track`, and returns the URL that takes its place, or None to leave the link as it is."""

    def replaced(match: re.Match[str]) -> str:
        tag = match[0]
        span = _target(tag)
        if span is None:
            return tag
        start, end = span
        target = _REFERENCE.sub(lambda reference: unescape(reference[0]), _unquoted(tag[start:end])).strip()
        url = replacement(target)
        return tag if url is None else f'{tag[:start]}"{escape(url)}"{tag[end:]}'

    return _TAG.sub(replaced, html)


def is_web(target: str) -> bool:
    """Whether a link's target is an http or https URL: no mailto, tel, anchor or relative link."""
    return _WEB.fullmatch(target) is not None


def with_pixel(html: str, url: str) -> str:
    """The page with an image of one pixel at its end."""
    image = f'<img src="{escape(url)}" width="1" height="1" alt="" style="border:0;height:1px;width:1px">'
    end = next(iter(_END.finditer(html)), None)
    at = end.start() if end else len(html)
    return html[:at] + image + html[at:]


def _target(tag: str) -> tuple[int, int] | None:
    """Where the value of the first `href` begins and ends, quotes included; None for a link that is left alone."""
    target: tuple[int, int] | None = None
    for attribute in _ATTRIBUTE.finditer(tag, 2):
        name = attribute[1].lower()
        if name == NO_TRACK:
            return None
        if name == "href" and attribute[2] and target is None:
            target = attribute.span(2)
    return target


def _unquoted(value: str) -> str:
    return value[1:-1] if value[:1] in ('"', "'") else value
