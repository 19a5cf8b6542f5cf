"""The ends of the audit chains, kept outside of the database: what was cut off the end of a chain shows by them.

A head is a tenant's last link at some time, signed with a key that the database does not hold. One goes into the log
every hour, and `manage.py verify_audit --heads FILE` keeps them in a file; both are JSON lines with the same names.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import orjson
import structlog
from django.conf import settings
from django.db.models import QuerySet

from notifier.errors import InvalidInput
from tenants.audit import POSITION
from tenants.models import AuditLog, Tenant

log = structlog.get_logger("tenants.audit")
ACTION = "audit.head"


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The link at `position` of a tenant's chain. `mac` signs the rest."""

    tenant: str
    position: int
    digest: str
    at: str
    mac: str


def current_heads(tenants: Iterable[Tenant]) -> Iterator[ChainHead]:
    """The head of each tenant that has a chain."""
    at = datetime.now(UTC).isoformat()
    for tenant in tenants:
        chain = _chained(tenant.pk).order_by("-chain").values_list("chain", flat=True).first()
        if chain is not None:
            yield _signed(str(tenant.pk), *_split(bytes(chain)), at)


def log_heads() -> int:
    """One line for each tenant. Returns how many."""
    heads = list(current_heads(Tenant.objects.order_by("pk")))
    for head in heads:
        log.info("audit head", action=ACTION, **asdict(head))
    return len(heads)


def parse_heads(lines: Iterable[bytes]) -> list[ChainHead]:
    """The heads in a file of JSON lines, log lines among them. Raises InvalidInput for what this site did not sign."""
    return [_parse_one(number, line) for number, line in enumerate(lines, 1) if _is_head(line)]


def describe_losses(heads: Iterable[ChainHead]) -> list[str]:
    """What is no longer as it was when the heads were written, in words; empty when all is there."""
    furthest: dict[str, ChainHead] = {}
    for head in heads:
        if head.tenant not in furthest or head.position > furthest[head.tenant].position:
            furthest[head.tenant] = head
    return [told for head in furthest.values() if (told := _lost_of(head))]


def json_line(head: ChainHead) -> bytes:
    return orjson.dumps(asdict(head), option=orjson.OPT_APPEND_NEWLINE)


def _lost_of(head: ChainHead) -> str:
    name = Tenant.objects.filter(pk=head.tenant).values_list("slug", flat=True).first() or f"tenant {head.tenant}"
    rows = _chained(uuid.UUID(head.tenant))
    last = rows.order_by("-chain").values_list("chain", flat=True).first()
    end = 0 if last is None else _split(bytes(last))[0]
    if end < head.position:
        return f"{name}: {head.position - end} rows are missing at the end (of {head.position} on {head.at})"
    first, after = (place.to_bytes(POSITION, "big") for place in (head.position, head.position + 1))
    there = rows.filter(chain__gte=first, chain__lt=after).values_list("chain", flat=True)
    found = [_split(bytes(chain or b""))[1] for chain in there]
    return "" if found == [head.digest] else f"{name}: row {head.position} of the chain is not the one of {head.at}"


def _chained(tenant_id: uuid.UUID) -> QuerySet[AuditLog]:
    return AuditLog.objects.filter(tenant_id=tenant_id, chain__isnull=False)


def _split(chain: bytes) -> tuple[int, str]:
    return int.from_bytes(chain[:POSITION], "big"), chain[POSITION:].hex()


def _signed(tenant: str, position: int, digest: str, at: str) -> ChainHead:
    return ChainHead(tenant, position, digest, at, _macs(tenant, position, digest, at)[0])


def _macs(*told: str | int) -> list[str]:
    """By the site's key, and by those of earlier values of SECRET_KEY."""
    message = ":".join(map(str, told)).encode()
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    keys = [hmac.digest(secret.encode(), b"notifier.audit_heads", hashlib.sha256) for secret in secrets]
    return [hmac.new(key, message, "sha256").hexdigest() for key in keys]


def _is_head(line: bytes) -> bool:
    """Other lines of a log are passed over; a file of heads has no other."""
    return bool(line.strip()) and (ACTION.encode() in line or b'"action"' not in line)


def _parse_one(number: int, line: bytes) -> ChainHead:
    try:
        told = orjson.loads(line)
        head = ChainHead(**{name: told[name] for name in ChainHead.__slots__})
        uuid.UUID(head.tenant)
        known = any(
            hmac.compare_digest(mac, head.mac) for mac in _macs(head.tenant, head.position, head.digest, head.at)
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InvalidInput(f"Line {number} of the heads is no head of an audit chain.", field="heads") from None
    if not known or type(head.position) is not int:
        raise InvalidInput(
            f"Line {number} of the heads was not signed by this site, or with an earlier SECRET_KEY "
            "(name it in SECRET_KEY_FALLBACKS).",
            field="heads",
        )
    return head
