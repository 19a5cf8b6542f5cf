"""Pictures that members upload for templates: a public address for each content, in the storage of attachments.

The address holds the tenant, the digest of the content and a keyed hash of both: nobody can guess the address of a
picture, also not of one whose content is known. `notifier.web.links.images` serves the addresses without the database.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from hashlib import sha256
from typing import NamedTuple

from django.conf import settings

from notifier.delivery.content.attachments import storage
from notifier.encryption import signing_keys
from notifier.errors import InvalidInput
from notifier.vocabulary.mail import NewFile

PATH = "images/"
#: recipients load pictures over phone networks
MAX_BYTES = 5 * 1024 * 1024
#: file name's ending -> content type. No SVG: it is a document that can run scripts
TYPES = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
_PURPOSE = "public image"
_HASH_BYTES = 16


class Image(NamedTuple):
    """What the address of a picture names."""

    tenant_id: uuid.UUID
    digest: str
    ending: str


def ending_of(content: bytes) -> str | None:
    """The ending for a picture's content, by its first bytes, which decide what a browser shows; None for anything but
    PNG, JPEG, GIF and WebP.

        https://www.w3.org/TR/png-3/#5PNG-file-signature
        https://www.w3.org/Graphics/JPEG/itu-t81.pdf (SOI, then a marker)
        https://www.w3.org/Graphics/GIF/spec-gif89a.txt
        https://developers.google.com/speed/webp/docs/riff_container
    """
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR":
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP" and content[12:16] in (b"VP8 ", b"VP8L", b"VP8X"):
        return "webp"
    return None


def store(tenant_id: uuid.UUID, name: str, content: bytes) -> str:
    """Store a picture, and return its public address; the same content has the same address. Raises InvalidInput, and
    Unavailable."""
    if len(content) > MAX_BYTES:
        raise too_large(len(content))
    ending = ending_of(content)
    if ending is None:
        raise InvalidInput(
            "This is no PNG, JPEG, GIF or WebP. An SVG can run scripts, and no mail program shows it: save it as PNG.",
            field="image",
        )
    digest = sha256(content).hexdigest()
    stem = name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0][:100].strip() or "picture"
    shown = "".join(character if character.isprintable() else "_" for character in stem)
    storage.store(tenant_id, [NewFile(digest, f"{shown}.{ending}", TYPES[ending], content)], public=True)
    return url_of(Image(tenant_id, digest, ending))


def too_large(size: int) -> InvalidInput:
    """The refusal of a picture of so many bytes."""
    return InvalidInput(
        f"The picture has {size:,} bytes; {MAX_BYTES:,} (5 MiB) are possible. Make it smaller: recipients load it over"
        " phone networks.",
        field="image",
    )


def url_of(image: Image) -> str:
    """The public address."""
    return f"{settings.SITE_URL}/{PATH}{image.tenant_id.hex}/{image.digest}-{_hashes(image)[0]}.{image.ending}"


def read_address(tenant: str, name: str) -> Image | None:
    """The picture of an address below PATH; None for an address that this site did not make."""
    stem, _, ending = name.partition(".")
    digest, _, given = stem.partition("-")
    try:
        image = Image(uuid.UUID(hex=tenant), digest, ending)
    except ValueError:
        return None
    if ending not in TYPES or len(digest) != 64 or not name.isascii() or image.tenant_id.hex != tenant:
        return None
    return image if any(hmac.compare_digest(given, known) for known in _hashes(image)) else None


def _hashes(image: Image) -> list[str]:
    """Keyed hashes of the picture's content and type, by each configured key, newest first."""
    named = f"{image.digest}.{image.ending}".encode()
    return [
        hashlib.blake2b(named, key=key, digest_size=_HASH_BYTES).hexdigest()
        for key in signing_keys(image.tenant_id, _PURPOSE)
    ]
