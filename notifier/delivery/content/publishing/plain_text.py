"""The text part of an email, derived from its HTML part once, at publication: a template itself, so that no message
pays for it."""

from __future__ import annotations

import re
from typing import Any

from notifier.delivery.content.liquid.text import LiquidText
from notifier.delivery.content.publishing.html_scan import check_depth
from notifier.delivery.content.publishing.liquid_tokens import Tokens, words_for_tags
from notifier.errors import InvalidInput

#: filters whose result is HTML
_GIVES_HTML = re.compile(r"\|\s*(?:raw|escape|escape_once|newline_to_br)\b")
_PRINTS = re.compile(r"\{\{|\{%-?\s*(?:echo|assign)\b")
_TAG_END = re.compile(r"\s*(-?[%}]\})$")
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_ROWS = frozenset({"table", "thead", "tbody", "tfoot", "tr"})
_CELLS = frozenset({"td", "th"})


def text_of_html(html: str) -> str:
    """The Liquid source of the text; "" for a page without text. Raises InvalidInput, without a field."""
    check_depth(html)
    words, tokens = words_for_tags(html)
    text = _tidy(_plain(words), tokens)
    derived = Tokens(tokens.prefix, tuple(map(_without_html, tokens.tags))).restore(text)
    _check_same_variables(html, derived)
    return derived


def _plain(words: str) -> str:
    from inscriptis.html_engine import Inscriptis
    from inscriptis.model.config import ParserConfig
    from lxml import etree
    from lxml.html import fromstring

    try:
        # bytes, because lxml refuses a text with an XML declaration
        tree = fromstring(words.encode(), parser=_parser())
    except etree.ParserError:
        return ""
    for element in tree.iter():
        if isinstance(element.tag, str):
            _simplify(element)
    return str(Inscriptis(tree, ParserConfig()).get_text())


def _parser() -> Any:
    from lxml.html import HTMLParser

    return HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)


def _simplify(element: Any) -> None:
    """Tables lay a page out: their cells become texts in a row, which keeps Liquid between rows where it stands. A link
    shows its address, an image its text."""
    style = element.attrib.pop("style", "")
    if _HIDDEN.search(style):
        element.set("style", "display:none")
    if element.tag in _ROWS:
        element.tag = "div"
    elif element.tag in _CELLS:
        element.tag = "span"
        element.tail = "\u00a0 " + (element.tail or "")
    elif element.tag == "img" and element.get("alt"):
        element.tail = element.get("alt") + (element.tail or "")
    elif element.tag == "a" and (address := element.get("href", "").strip()):
        shown = "".join(element.itertext()).strip()
        if not address.startswith("#") and address.removeprefix("mailto:") != shown:
            element.tail = f" ({address})" + (element.tail or "")


def _tidy(text: str, tokens: Tokens) -> str:
    """Without trailing blanks and long gaps. A line of Liquid tags that print nothing joins the next line, and does not
    double the gap around it."""
    lines = [line.replace("\u00a0", " ").strip() for line in text.splitlines()]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    silent = rf"(?:{tokens.prefix}c\d+q *)+"
    text = re.sub(rf"(\A|\n\n)({silent})\n+", r"\1\2", text)
    text = re.sub(rf"^({silent})\n", r"\1", text, flags=re.MULTILINE)
    text = re.sub(rf"\n({silent})\Z", r"\1", text)
    return f"{text}\n" if text else ""


def _without_html(tag: str) -> str:
    """The Liquid tag as it stands in a text, where nothing is escaped."""
    if not _GIVES_HTML.search(tag) or not _PRINTS.match(tag):
        return tag
    return _TAG_END.sub(r" | plain_text \1", tag)


def _check_same_variables(html: str, derived: str) -> None:
    """Raise InvalidInput if the text reads a variable that the page defines itself: its definition was not in the text
    of the page."""
    remedy = "No text can be derived from the html"
    try:
        new = set(LiquidText(derived).paths) - set(LiquidText(html).paths)
    except InvalidInput as error:
        raise InvalidInput(f"{remedy} ({error.message}). Write the part 'text'.") from None
    if new:
        raise InvalidInput(
            f"{remedy}: {min(new)!r} gets its value in a part of the page that is no text. Write the part 'text'."
        )
