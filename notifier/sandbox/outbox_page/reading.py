"""A kept message as the page shows it. A mail in MIME is parsed here, when a person opens it, and not when it arrives:
the standard library's parser takes 800 µs for a mail."""

from __future__ import annotations

import base64
import email
import email.policy
import re
from email.message import EmailMessage
from typing import Any

from notifier.sandbox.outbox import Attachment, Kept, OutboxItem
from notifier.sandbox.outbox_page.push_parts import push_parts

REMOTE = re.compile(
    r"""<(?:img|source|video|audio|input)\b[^>]*?\s(?:src|srcset|poster)\s*=\s*["']?\s*(?:https?:)?//"""
    r"""|url\(\s*["']?\s*(?:https?:)?//|<[^>]+\sbackground\s*=\s*["']?\s*(?:https?:)?//""",
    re.IGNORECASE,
)
_CID = re.compile(r"""cid:([^"'\s)>]+)""", re.IGNORECASE)
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_OPENING = re.compile(r"\s*<!doctype[^>]*>", re.IGNORECASE)
#: a link of a mail opens beside the outbox, never inside of it
_BASE = '<base target="_blank">'


def summary(kept: Kept) -> dict[str, Any]:
    """A line of the list."""
    item = kept.item
    return {
        "number": kept.number,
        "at": kept.at,
        "channel": item.channel,
        "address": item.address,
        "delivery": item.delivery,
        "title": item.title,
        "text": item.text[:2000],
        "image": item.image,
        "link": item.link,
        "sender": item.sender,
        "service": item.service,
        "inbound": item.inbound,
        "push": push_parts(item) if item.channel == "push" else None,
    }


def details(kept: Kept) -> dict[str, Any]:
    """The whole message without the bytes of its attachments."""
    item = whole(kept.item)
    return summary(kept) | {
        "title": item.title,
        "text": item.text,
        "sender": item.sender,
        "html": bool(item.html),
        "remote_images": len(REMOTE.findall(item.html)),
        "headers": [list(pair) for pair in item.headers],
        "source": readable(item.source),
        "size": len(item.source),
        "mime": item.mime,
        "attachments": [
            {"name": each.name, "type": each.content_type, "size": len(each.content), "inline": bool(each.content_id)}
            for each in item.attachments
        ],
    }


def whole(item: OutboxItem) -> OutboxItem:
    """The item with everything that its source holds."""
    return _parse(item) if item.mime else item


def document(item: OutboxItem) -> str:
    """The mail's HTML as a document of its own. Inline attachments (`cid:`) are written into it."""
    inline = {each.content_id: each for each in item.attachments if each.content_id}

    def embed(found: re.Match[str]) -> str:
        attachment = inline.get(found[1])
        if attachment is None or not attachment.content_type.startswith("image/"):
            return found[0]
        return f"data:{attachment.content_type};base64,{base64.b64encode(attachment.content).decode()}"

    html = _CID.sub(embed, item.html)
    opening = _HEAD.search(html) or _OPENING.match(html)
    at = opening.end() if opening else 0
    return html[:at] + _BASE + html[at:]


def readable(source: bytes) -> str:
    """The bytes as text; JSON is indented by the page. Of bytes that are not UTF-8, an encrypted push has many."""
    text = source.decode("utf-8", "replace")
    if text.count("\N{REPLACEMENT CHARACTER}") * 10 > len(text):
        return f"{len(source):,} bytes that are no text; in base64:\n{base64.b64encode(source).decode()}"
    return text


def _parse(item: OutboxItem) -> OutboxItem:
    message = email.message_from_bytes(item.source, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    headers = [(name, _header(name, raw)) for name, raw in message.raw_items()]
    first = {name.lower(): value for name, value in reversed(headers)}
    text = html = ""
    attachments: list[Attachment] = []
    for part in message.walk():
        if part.is_multipart():
            continue
        kind, disposition = part.get_content_type(), part.get_content_disposition()
        if kind == "text/plain" and disposition != "attachment" and not text:
            text = _text(part)
        elif kind == "text/html" and disposition != "attachment" and not html:
            html = _text(part)
        else:
            attachments.append(_attachment(part, len(attachments)))
    return item._replace(
        title=first.get("subject", item.title), sender=first.get("from", item.sender), headers=headers,
        text=text, html=html, attachments=attachments,
    )  # fmt: skip


def _header(name: str, raw: str) -> str:
    """A header, decoded. A header that breaks the rules is shown as it arrived: people look here for what is wrong."""
    try:
        return str(email.policy.default.header_fetch_parse(name, raw))
    except Exception:  # the standard library raises what it meets: AttributeError, IndexError, ValueError
        return raw


def _bytes(part: EmailMessage) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text(part: EmailMessage) -> str:
    try:
        return _bytes(part).decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:  # a charset that Python does not know
        return _bytes(part).decode("utf-8", "replace")


def _attachment(part: EmailMessage, number: int) -> Attachment:
    kind = part.get_content_type()
    name = part.get_filename() or f"part-{number + 1}.{part.get_content_subtype()}"
    return Attachment(name, kind, _bytes(part), str(part.get("content-id", "")).strip("<> "))
