"""What messages are rendered from: the content of a template with its layout, compiled MJML, inlined CSS, the derived
text, and the checked sender."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from notifier.channels import channel
from notifier.channels.base import Channel
from notifier.delivery.content.publishing.layouts import page_with, text_with, with_lf
from notifier.delivery.content.publishing.page import finished_page
from notifier.delivery.content.publishing.plain_text import text_of_html
from notifier.delivery.content.publishing.senders import checked_sender
from notifier.errors import InvalidInput
from notifier.models import Layout

#: {channel: {locale: {part: source}}}, whose parts have been checked by the channel's `check_parts`
Content = Mapping[str, Mapping[str, Mapping[str, Any]]]


def published_content(content: Content, tenant_id: uuid.UUID, layout: Layout | None) -> dict[str, Any]:
    """The content that is sent. Raises InvalidInput, naming the field."""
    return {
        name: {
            locale: _Parts(channel(name), f"content.{name}.{locale}", tenant_id, layout).published(parts)
            for locale, parts in by_locale.items()
        }
        for name, by_locale in content.items()
    }


class _Parts:
    """The parts of one channel and locale."""

    def __init__(self, kind: Channel, field: str, tenant_id: uuid.UUID, layout: Layout | None) -> None:
        self._kind, self._field, self._tenant_id = kind, field, tenant_id
        self._layout = layout if kind.html_parts else None

    def published(self, parts: Mapping[str, Any]) -> dict[str, Any]:
        kind, published = self._kind, dict(parts)
        for part in kind.fixed_parts.intersection(parts):
            self._check_fixed(part, parts[part])
        for part in kind.html_parts.intersection(parts):
            published[part] = self._named(part, self._page, parts)
        for text_part, html_part in kind.text_of.items():
            if published.get(text_part):
                published[text_part] = text_with(self._layout, with_lf(published[text_part]))
            elif published.get(html_part) and (
                text := self._named(text_part, text_of_html, {text_part: published[html_part]})
            ):
                published[text_part] = text
        if sender := parts.get(kind.sender_part):
            published[kind.sender_part] = self._named(
                kind.sender_part, lambda text: checked_sender(self._tenant_id, text), {kind.sender_part: sender}
            )
        return published

    def _page(self, source: str) -> str:
        return finished_page(page_with(self._layout, with_lf(source)))

    def _named(self, part: str, change: Callable[[str], str], parts: Mapping[str, Any]) -> str:
        try:
            return change(parts[part])
        except InvalidInput as error:
            at = None if error.at is None else self._place_in_part(parts[part], error.at)
            raise InvalidInput(error.message, field=f"{self._field}.{part}", code=error.code, at=at) from None

    def _place_in_part(self, source: str, at: int) -> int | None:
        """The index in the part of an index in the page with its layout; None for one that is not in the part."""
        if self._layout is None or not self._layout.html:
            return at
        before = page_with(self._layout, source).find(with_lf(source))
        return at - before if 0 <= at - before <= len(source) else None

    def _check_fixed(self, part: str, source: str) -> None:
        if "{{" in source or "{%" in source:
            raise InvalidInput(
                f"The {part} is the same for every recipient; leave the variables out.",
                field=f"{self._field}.{part}",
                at=source.find("{"),
            )
