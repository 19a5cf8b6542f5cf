"""The link of a confirmation mail, which confirms one double opt-in. It is encrypted; the row that it names says
what is confirmed, and until when."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from notifier.delivery.content.links.sealed_link import open_token, sealed_url

PATH = "opt-in/"
_PURPOSE = "opt-in link"


class OptInLink(NamedTuple):
    tenant_id: uuid.UUID
    proof_id: uuid.UUID


def url_of(link: OptInLink) -> str:
    return sealed_url(PATH, link.tenant_id, _PURPOSE, link.proof_id.bytes)


def read_token(token: str) -> OptInLink | None:
    """What the last part of a link names; None for a token that this site did not make."""
    opened = open_token(token, _PURPOSE)
    return None if opened is None else OptInLink(opened[0], uuid.UUID(bytes=opened[1]))
