"""A tenant's layout around the content of a template. It is applied when the template is published."""

from __future__ import annotations

import re
from html import escape

from notifier.delivery.content.liquid.text import LiquidText
from notifier.delivery.content.publishing.page import finished_page, is_mjml
from notifier.errors import InvalidInput
from notifier.models import Layout, Template

#: in place of a layout's key: the tenant's default layout, and none
DEFAULT_LAYOUT, NO_LAYOUT = "default", "none"
_CONTENT = re.compile(r"\{\{-?\s*content\s*-?\}\}")
_POSTAL_ADDRESS = re.compile(r"\{\{-?\s*postal_address\s*-?\}\}")
_WHOLE_PAGE = re.compile(r"<(?:html|body|mjml)[\s>]", re.IGNORECASE)
#: stands for the content while a layout is checked: HTML and MJML allow it everywhere
_SAMPLE = "<!-- content -->"


def layout_of(template: Template) -> Layout | None:
    """The layout that the template names, else the tenant's default; None for a template without a layout."""
    if template.without_layout:
        return None
    return template.layout or Layout.objects.filter(tenant_id=template.tenant_id, is_default=True).first()


def page_with(layout: Layout | None, html: str) -> str:
    """The source of the whole page. Raises InvalidInput, without a field, for a page that is whole by itself."""
    if layout is None or not layout.html:
        return html
    if whole := _WHOLE_PAGE.search(html):
        raise InvalidInput(
            f"The html is a whole page ({whole[0][:5].rstrip()}>), and the layout {layout.key!r} would put it inside of"
            " another one. Leave out what the layout has, or choose no layout for this template."
        )
    address = escape(with_lf(layout.postal_address)).replace("\n", "<br/>")
    return _filled(with_lf(layout.html), html, address)


def text_with(layout: Layout | None, text: str) -> str:
    """The source of the whole text."""
    if layout is None:
        return text
    address = with_lf(layout.postal_address)
    if layout.text:
        return _filled(with_lf(layout.text), text, address)
    return f"{text.rstrip()}\n\n{address}\n" if address else text


def _filled(frame: str, content: str, postal_address: str) -> str:
    # the address first: the content may hold any text
    frame = _POSTAL_ADDRESS.sub(lambda _: postal_address, frame)
    return _CONTENT.sub(lambda _: content, frame)


def with_lf(source: str) -> str:
    """A browser sends line ends as CRLF. Liquid would render a source with them by its slow path: 16 µs a message
    instead of 0.7."""
    return source.replace("\r\n", "\n")


def check_layout(layout: Layout) -> None:
    """Raise InvalidInput, naming the field, unless templates can be published with this layout."""
    if layout.key in (DEFAULT_LAYOUT, NO_LAYOUT):
        raise InvalidInput(f"{layout.key!r} has a meaning of its own; use another key.", field="key")
    if not layout.html and not layout.text:
        raise InvalidInput("A layout has html, a text, or both.", field="html")
    for field, source in (("html", layout.html), ("text", layout.text)):
        if source:
            _check(layout, field, source)


def _check(layout: Layout, field: str, source: str) -> None:
    count = len(_CONTENT.findall(source))
    if count != 1:
        raise InvalidInput(
            f"{{{{ content }}}} stands {count} times; it stands once, where the template's own content belongs.",
            field=field,
        )
    if layout.postal_address and not _POSTAL_ADDRESS.search(source):
        raise InvalidInput(
            "The postal address stands nowhere: put {{ postal_address }} where it belongs, usually below.", field=field
        )
    try:
        if field == "html":
            LiquidText(finished_page(_filled(source, _SAMPLE, escape(layout.postal_address))), escapes=True)
        else:
            LiquidText(_filled(source, "", layout.postal_address))
    except InvalidInput as error:
        raise InvalidInput(error.message, field=field) from None
    if field == "html" and not is_mjml(source) and "<mj-" in source:
        raise InvalidInput("MJML begins with <mjml>; elements such as <mj-section> stand inside of it.", field=field)
