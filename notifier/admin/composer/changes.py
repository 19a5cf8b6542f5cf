"""What the buttons of the editor change in its content: channels and locales come and go. Nothing is stored.

A button is named `_compose`; its value is the action, and, where there is one, the channel and the locale.
"""

from __future__ import annotations

import copy
from typing import Any

from django.utils.translation import gettext as _

from notifier.admin.composer.posted import Content
from notifier.channels import channels
from notifier.delivery.content.templates import fallbacks
from notifier.errors import InvalidInput
from notifier.values import locales

BUTTON = "_compose"


def apply(content: Content, action: str, data: Any, default_locale: str) -> Content:
    """The content after a button was pressed. `data`: the posted form. Raises InvalidInput."""
    verb, _colon, where = action.partition(":")
    channel, _colon, locale = where.partition(":")
    content = copy.deepcopy(content)
    if verb == "add-channel":
        channel = channel or data.get("add_channel", "")
        if channel not in channels():
            raise InvalidInput(_("Choose a channel."), field="add_channel")
        content.setdefault(channel, {default_locale: {}})
    elif verb == "remove-channel":
        content.pop(channel, None)
    elif verb == "add-locale" and channel in content:
        _add_locale(content, channel, data.get(f"add_locale:{channel}", ""), default_locale)
    elif verb == "remove-locale" and channel in content:
        content[channel].pop(locale, None)
    elif verb == "copy-default" and locale in content.get(channel, {}):
        default = default_of(content[channel], default_locale)
        if default is not None:
            content[channel][locale] = copy.deepcopy(content[channel][default])
    return content


def default_of(by_locale: dict[str, Any], default_locale: str) -> str | None:
    """The locale of a channel whose content the others translate."""
    return next((tag for tag in fallbacks(default_locale) if tag in by_locale), None)


def _add_locale(content: Content, channel: str, typed: str, default_locale: str) -> None:
    field = f"add_locale:{channel}"
    tag = locales.canonical(typed.strip(), field)
    if tag in content[channel]:
        raise InvalidInput(_("There is content for %(locale)s already.") % {"locale": tag}, field=field)
    default = default_of(content[channel], default_locale)
    content[channel][tag] = copy.deepcopy(content[channel][default]) if default is not None else {}
