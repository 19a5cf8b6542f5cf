"""The fields of an editor, from the channels' own declarations: a new channel needs no change here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifier.channels import channels
from notifier.channels.base import Channel

#: names of channels and parts in words; a name without an entry is shown as it is
NAMES = {
    "push": _("Push"), "email": _("Email"), "sms": _("SMS"), "chat": _("Chat"), "in_app": _("Inbox"),
    "title": _("Title"), "body": _("Body"), "text": _("Text"), "subject": _("Subject"), "html": _("HTML or MJML"),
    "link": _("Link"), "image": _("Picture"), "data": _("Data for the app"), "sound": _("Sound"), "badge": _("Badge"),
    "priority": _("Priority"), "ttl": _("Time to live"), "android": _("Android"), "apns": _("Apple"),
    "webpush": _("Browsers"), "fcm": _("Firebase"), "preheader": _("Preview line"), "from": _("From"),
    "reply_to": _("Reply to"), "headers": _("Headers"), "attachments": _("Attachments"),
}  # fmt: skip


@dataclass(frozen=True)
class PartField:
    """One part as an editor shows it. `kind`: `line`, `text`, `html`, `pairs` (an object of texts) or `files`. `keys`:
    name and meaning of each key of an object; empty where an object takes any names."""

    name: str
    label: str
    kind: str
    required: bool
    help: str
    longest: int
    advanced: bool
    is_image: bool
    offered: Sequence[str]
    keys: Sequence[tuple[str, str]]
    escapes: bool


def name_in_words(name: str) -> str:
    return str(NAMES.get(name) or name.replace("_", " ").capitalize())


def fields_of(kind: Channel) -> list[PartField]:
    """The fields of a channel, in the order of its declaration."""
    return [
        PartField(
            name=part,
            label=name_in_words(part),
            kind=_kind(kind, part),
            required=required,
            help=_sentence(gettext(kind.part_help[part])) if kind.part_help.get(part) else "",
            longest=kind.longest.get(part, 0),
            advanced=part in kind.advanced,
            is_image=part in kind.image_parts,
            offered=kind.offered.get(part, ()),
            keys=tuple(kind.key_help.get(part, {}).items()),
            escapes=part in kind.html_parts,
        )
        for part, required in kind.parts.items()
    ]


def channel_names() -> list[tuple[str, str]]:
    """Name and label of every channel."""
    return [(name, name_in_words(name)) for name in sorted(channels())]


def _kind(kind: Channel, part: str) -> str:
    if part in kind.file_parts:
        return "files"
    if part in kind.object_parts:
        return "pairs"
    if part in kind.html_parts:
        return "html"
    return "text" if part in kind.multiline else "line"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}.".replace("`", "")
