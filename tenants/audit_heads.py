"""Heads of the audit chains, kept outside of the database, so that rows cut off the end of a chain are detected.

A chain head is a tenant's last link at some time, signed with a key that the database does not hold. Each hour one head
per tenant goes into the log, and `manage.py verify_audit --heads FILE` keeps heads in a file. Both are JSON lines with
the same names.
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
    """The link at `position` of a tenant's chain, as hex digits. `mac` signs the other fields."""

    tenant: str
    position: int
    digest: str
    at: str
    mac: str


def current_heads(tenants: Iterable[Tenant]) -> Iterator[ChainHead]:
    """The head of each tenant that has a chain."""
    at = datetime.now(UTC).isoformat()
    for tenant in tenants:
        chain = _last_link(tenant.pk)
        if chain is not None:
            yield _sign(str(tenant.pk), *_split(chain), at)


def log_heads() -> int:
    """Write one log line for each tenant. Returns how many."""
    heads = list(current_heads(Tenant.objects.order_by("pk")))
    for head in heads:
        log.info("audit head", action=ACTION, **asdict(head))
    return len(heads)


def parse_heads(lines: Iterable[bytes]) -> list[ChainHead]:
    """The heads in a file of JSON lines; other log lines are skipped. Raises InvalidInput for a head that this site did
    not sign."""
    return [_parse_head(number, line) for number, line in enumerate(lines, 1) if _is_head(line)]


def describe_losses(heads: Iterable[ChainHead]) -> list[str]:
    """One sentence for each chain that no longer contains its latest head; empty when all do."""
    latest: dict[str, ChainHead] = {}
    for head in heads:
        if head.tenant not in latest or head.position > latest[head.tenant].position:
            latest[head.tenant] = head
    return [loss for head in latest.values() if (loss := _describe_loss(head))]


def json_line(head: ChainHead) -> bytes:
    return orjson.dumps(asdict(head), option=orjson.OPT_APPEND_NEWLINE)


def _describe_loss(head: ChainHead) -> str:
    tenant_id = uuid.UUID(head.tenant)
    name = Tenant.objects.filter(pk=tenant_id).values_list("slug", flat=True).first() or f"tenant {head.tenant}"
    last_link = _last_link(tenant_id)
    end = 0 if last_link is None else _split(last_link)[0]
    if end < head.position:
        return f"{name}: {head.position - end} rows are missing at the end (of {head.position} on {head.at})"
    if _digests_at(tenant_id, head.position) != [head.digest]:
        return f"{name}: row {head.position} of the chain is not the one of {head.at}"
    return ""


def _digests_at(tenant_id: uuid.UUID, position: int) -> list[str]:
    first, after = (number.to_bytes(POSITION, "big") for number in (position, position + 1))
    rows = _chained_rows(tenant_id).filter(chain__gte=first, chain__lt=after)
    return [_split(bytes(chain or b""))[1] for chain in rows.values_list("chain", flat=True)]


def _last_link(tenant_id: uuid.UUID) -> bytes | None:
    chain = _chained_rows(tenant_id).order_by("-chain").values_list("chain", flat=True).first()
    return None if chain is None else bytes(chain)


def _chained_rows(tenant_id: uuid.UUID) -> QuerySet[AuditLog]:
    return AuditLog.objects.filter(tenant_id=tenant_id, chain__isnull=False)


def _split(chain: bytes) -> tuple[int, str]:
    """A link's position and digest."""
    return int.from_bytes(chain[:POSITION], "big"), chain[POSITION:].hex()


def _sign(tenant: str, position: int, digest: str, at: str) -> ChainHead:
    return ChainHead(tenant, position, digest, at, _macs(tenant, position, digest, at)[0])


def _macs(*values: str | int) -> list[str]:
    """The MAC by the site's current key, then those by the keys of earlier values of SECRET_KEY."""
    message = ":".join(map(str, values)).encode()
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    keys = [hmac.digest(secret.encode(), b"notifier.audit_heads", hashlib.sha256) for secret in secrets]
    return [hmac.new(key, message, "sha256").hexdigest() for key in keys]


def _is_head(line: bytes) -> bool:
    """False for other lines of a log. A file of heads has no other lines, and its lines have no action."""
    return bool(line.strip()) and (ACTION.encode() in line or b'"action"' not in line)


def _parse_head(number: int, line: bytes) -> ChainHead:
    try:
        document = orjson.loads(line)
        head = ChainHead(**{name: document[name] for name in ChainHead.__slots__})
        uuid.UUID(head.tenant)
        macs = _macs(head.tenant, head.position, head.digest, head.at)
        is_signed = any(hmac.compare_digest(mac, head.mac) for mac in macs)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InvalidInput(f"Line {number} of the heads is no head of an audit chain.", field="heads") from None
    if not is_signed or type(head.position) is not int:
        raise InvalidInput(
            f"Line {number} of the heads was not signed by this site, or with an earlier SECRET_KEY "
            "(name it in SECRET_KEY_FALLBACKS).",
            field="heads",
        )
    return head
