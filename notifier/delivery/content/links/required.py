"""Marketing email needs a link by which its recipient opts out, in the page itself: Gmail and Yahoo ask senders of bulk
mail for it beside the header List-Unsubscribe, and so does the law of many countries (CAN-SPAM, 16 CFR 316.5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from notifier.channels import channel
from notifier.errors import InvalidInput
from notifier.vocabulary.content import PREFERENCES_URL, UNSUBSCRIBE_URL

OPT_OUT_LINKS = frozenset({UNSUBSCRIBE_URL, PREFERENCES_URL})


def parts_without_link(name: str, links: Mapping[str, Collection[str]]) -> list[str]:
    """The parts of a channel's content that need a link to opt out and have none. `links`: part -> the links in it.

    An email shows its page, or its text where it has no page: only what is shown needs the link. A text part beside a
    page may do without, because the mail program that shows it also shows the header."""
    if not channel(name).carries_unsubscribe_url:
        return []
    pages = channel(name).html_parts.intersection(links)
    shown = pages or set(channel(name).text_of).intersection(links)
    return sorted(part for part in shown if OPT_OUT_LINKS.isdisjoint(links[part]))


def no_link(field: str, **about: Any) -> InvalidInput:
    """The refusal. `about`: what `field` is, such as `part` and `template`."""
    where = f"The {about['part']} of a marketing email" if "part" in about else f"The template {about['template']!r}"
    return InvalidInput(
        f"{where} needs a link by which its recipient opts out: write {{{{ {UNSUBSCRIBE_URL} }}}} or"
        f" {{{{ {PREFERENCES_URL} }}}} into its html or its layout"
        f"{'' if 'part' in about else ' and publish it again; the message would be marketing'}.",
        field=field,
        code="no_unsubscribe_link",
    )
