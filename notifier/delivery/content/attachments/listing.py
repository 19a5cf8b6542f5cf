"""The list of attachments of a request or of a template's part: what it may say, and what is stored of it."""

from __future__ import annotations

import binascii
import re
import uuid
from base64 import b64decode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from mimetypes import guess_type
from typing import Any, NamedTuple

import orjson

from notifier.delivery.content.attachments.uses import note_use
from notifier.errors import InvalidInput
from notifier.models import StoredFile
from notifier.vocabulary.mail import NewFile

#: mail servers commonly take 20 to 25 MB, and base64 makes a third more of a file
MAX_FILES, MAX_BYTES = 10, 10 * 1024 * 1024
#: bytes of a request's body with so many bytes in base64, and of the request itself
MAX_BODY = MAX_BYTES * 4 // 3 + 1024 * 1024
#: characters of a file name, and bytes of it: percent-encoded, it must fit into a line of a header
MAX_NAME, MAX_NAME_BYTES = 150, 250
_FIELDS = frozenset({"name", "content_type", "content", "content_id", "id"})
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,80}")
_CONTENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}(?:@[A-Za-z0-9.-]{1,60})?")
_ID = re.compile(r"[0-9a-f]{64}")
#: programs, which Gmail and Outlook refuse together with the whole message
REFUSED = frozenset({
    "ade", "adp", "apk", "appx", "bat", "cab", "chm", "cmd", "com", "cpl", "dll", "dmg", "exe", "hta", "img", "ins",
    "iso", "isp", "jar", "js", "jse", "lib", "lnk", "mde", "msc", "msi", "msix", "msp", "mst", "nsh", "pif", "ps1",
    "scr", "sct", "shb", "sys", "vb", "vbe", "vbs", "vhd", "vxd", "wsc", "wsf", "wsh", "xll",
})  # fmt: skip


#: base64 -> the file's digest and content. Files that an editor uploads stand in each locale of a template: each is
#: decoded and kept once
Decoded = dict[str, tuple[str, bytes]]


class Listing(NamedTuple):
    """`entries`: what a template or a message keeps; `files`: the contents that are to be stored."""

    entries: list[dict[str, Any]]
    files: list[NewFile]


def read_list(raw: Any, tenant_id: uuid.UUID, field: str, decoded: Decoded | None = None) -> Listing:
    """Raises InvalidInput, naming the field. `decoded`: shared by lists that may hold the same texts."""
    decoded = {} if decoded is None else decoded
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        raise InvalidInput('Must be a list such as [{"name": "a.pdf", "content": "<base64>"}].', field=field)
    if len(raw) > MAX_FILES:
        raise InvalidInput(f"{len(raw)} files; a message carries {MAX_FILES} at most.", field=field)
    listing = Listing([], [])
    for number, entry in enumerate(raw):
        _read_entry(entry, f"{field}.{number}", tenant_id, decoded, listing)
    check_total(listing.entries, field)
    return listing


def dump(entries: Sequence[Mapping[str, Any]]) -> str:
    """The list as the content of a message holds it."""
    return orjson.dumps(list(entries)).decode()


def file_names(listed: str) -> str:
    """The names of the files of a list in a message's content, for a preview."""
    return ", ".join(entry["name"] for entry in orjson.loads(listed))


def total_size(listed: str) -> int:
    """Bytes of all files of a list in a message's content."""
    return sum(entry["size"] for entry in orjson.loads(listed))


def joined(listed: str, entries: Sequence[Mapping[str, Any]]) -> str:
    """The list of a template, and the entries of a request. Raises InvalidInput for too many or too large files."""
    together = [*(orjson.loads(listed) if listed else ()), *entries]
    check_total(together, "attachments")
    return dump(together)


def check_total(entries: Sequence[Mapping[str, Any]], field: str) -> None:
    """Raise InvalidInput for more files, or larger ones, than a message carries."""
    if len(entries) > MAX_FILES:
        raise InvalidInput(
            f"With those of the template the message has {len(entries)} files; it carries {MAX_FILES} at most.",
            field=field,
        )
    size = sum(entry["size"] for entry in entries)
    if size > MAX_BYTES:
        raise InvalidInput(
            f"The files have {size:,} bytes together; a message carries {MAX_BYTES:,} (10 MiB). Put large ones behind a"
            " link.",
            field=field,
        )


def _read_entry(entry: Any, field: str, tenant_id: uuid.UUID, decoded: Decoded, listing: Listing) -> None:
    if not isinstance(entry, Mapping):
        raise InvalidInput("Must be an object with name and content.", field=field)
    if unknown := entry.keys() - _FIELDS - {"size"}:
        raise InvalidInput(f"Unknown field; known: {', '.join(sorted(_FIELDS))}.", field=f"{field}.{min(unknown)[:60]}")
    name = _name(entry.get("name"), f"{field}.name")
    content_type = _content_type(entry.get("content_type"), name, f"{field}.content_type")
    stored: dict[str, Any] = {"name": name, "content_type": content_type}
    if "content" in entry:
        digest, content = _content(entry["content"], f"{field}.content", decoded)
        listing.files.append(NewFile(digest, name, content_type, content))
        stored |= {"id": digest, "size": len(content)}
    else:
        stored |= {"id": entry.get("id"), "size": _size_of_stored(tenant_id, entry.get("id"), f"{field}.id")}
    if (content_id := entry.get("content_id")) is not None:
        stored["content_id"] = _image_id(content_id, content_type, f"{field}.content_id")
    listing.entries.append(stored)


def _name(name: Any, field: str) -> str:
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME or len(name.encode()) > MAX_NAME_BYTES:
        raise InvalidInput(f"A file has a name of 1 to {MAX_NAME} characters.", field=field)
    if not name.isprintable() or "/" in name or "\\" in name or name != name.strip():
        raise InvalidInput("A name has no path, no blanks at its ends and no invisible characters.", field=field)
    ending = name.rpartition(".")[2].lower()
    if ending in REFUSED:
        raise InvalidInput(
            f"Mail services refuse messages with .{ending} files. Put the file behind a link.", field=field
        )
    return name


def _content_type(given: Any, name: str, field: str) -> str:
    if given is None:
        return guess_type(name)[0] or "application/octet-stream"
    if not isinstance(given, str) or not _TYPE.fullmatch(given.lower()):
        raise InvalidInput("A content type looks like application/pdf, without parameters.", field=field)
    if given.lower().startswith(("multipart/", "message/")):
        raise InvalidInput("A file is no multipart and no message; send it as application/octet-stream.", field=field)
    return given.lower()


def _content(text: Any, field: str, decoded: Decoded) -> tuple[str, bytes]:
    """Digest and content of a file in base64."""
    try:
        if not isinstance(text, str):
            raise ValueError
        if text in decoded:
            return decoded[text]
        content = b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise InvalidInput("Must be the file in base64 (RFC 4648 §4), without line breaks.", field=field) from None
    if not content:
        raise InvalidInput("The file is empty.", field=field)
    decoded[text] = sha256(content).hexdigest(), content
    return decoded[text]


def _size_of_stored(tenant_id: uuid.UUID, file_id: Any, field: str) -> int:
    stored = None
    if isinstance(file_id, str) and _ID.fullmatch(file_id):
        stored = StoredFile.objects.filter(tenant_id=tenant_id, digest=file_id).first()
    # a file that is deleted at this moment is gone when it cannot be marked
    if stored is None or not note_use(stored):
        raise InvalidInput("There is no such file. Send its content in base64 as 'content'.", field=field)
    return stored.size


def _image_id(content_id: Any, content_type: str, field: str) -> str:
    if not isinstance(content_id, str) or not _CONTENT_ID.fullmatch(content_id):
        raise InvalidInput('A content id looks like logo or logo@acme.example: <img src="cid:logo">.', field=field)
    if not content_type.startswith("image/"):
        raise InvalidInput("Only an image is shown inside of the page; leave content_id out.", field=field)
    return content_id
