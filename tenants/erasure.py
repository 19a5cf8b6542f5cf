"""Erase a person: name, addresses, attributes and the content of what was sent. The external id and a digest of each
address stay, so that neither the next import nor another recipient with the address is written to.

`request` does at once what stops every message: the recipient's row, devices, preferences. `run_open`, a task, lets
each package erase the rest by what the package registered (`register_eraser`), until nothing is left.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.db import transaction

from tenants import audit
from tenants.audit import Actor
from tenants.models import (
    ConsentChange,
    Device,
    ErasedAddress,
    Erasure,
    Import,
    OptInProof,
    Preference,
    Recipient,
    Suppression,
    Tenant,
)

log = structlog.get_logger("tenants.people")

#: an acceptance or an import that had read the recipient before the erasure may store a row until then
SETTLED_AFTER = timedelta(seconds=60)
#: erasures of one run of the task
BATCH = 100
ERASE = "recipient.erase"


@dataclass(frozen=True)
class Erased:
    """What one eraser did in one run. `left`: rows that it could not erase yet, such as a message in flight."""

    rows: int
    left: bool = False


#: erases what a package holds of (tenant id, recipient id), in transactions of its own; safe to repeat
Eraser = Callable[[uuid.UUID, uuid.UUID], Erased]
_erasers: dict[str, Eraser] = {}


def register_eraser(kind: str, eraser: Eraser) -> None:
    """Let every erasure call this function; its rows are counted as `kind`. Call it in `AppConfig.ready`."""
    _erasers[kind] = eraser


def digest_of(tenant: Tenant, channel: str, address: str) -> bytes:
    """SHA-256 over the tenant's salt, the channel and the address in small letters; the trigger computes the same."""
    return hashlib.sha256(bytes(tenant.erasure_salt) + f"{channel}:{address.lower()}".encode()).digest()


# ---- at once -------------------------------------------------------------------------------------------------------


def request(recipient: Recipient, by: Actor) -> Erasure:
    """Begin the erasure; a repeat returns the first one. A message that has not left does not leave from now on."""
    with transaction.atomic():
        recipient = Recipient.objects.select_for_update().select_related("tenant").get(pk=recipient.pk)
        if recipient.status == Recipient.State.ERASED:
            earlier = Erasure.objects.filter(recipient_id=recipient.pk).first()
            return earlier or _create(recipient, {}, by)
        tokens = list(Device.objects.filter(recipient=recipient).values_list("token", flat=True))
        addresses = {name: value for name, value in (("email", recipient.email), ("sms", recipient.phone)) if value}
        removed = {
            "devices": Device.objects.filter(recipient=recipient).delete()[0],
            "preferences": Preference.objects.filter(recipient=recipient).delete()[0],
        }
        OptInProof.objects.filter(recipient=recipient).update(
            text="", asked_from=None, asked_with="", confirmed_from=None, confirmed_with=""
        )
        _keep_digests(recipient.tenant, addresses)
        _blank(recipient)
        removed["suppressions"] = _forget_suppressions(recipient, addresses)
        _forget_in_reports(recipient, [*addresses.values(), recipient.external_id])
        _forget_in_changes(recipient, [*addresses.values(), *tokens])
        return _create(recipient, removed, by)


def _create(recipient: Recipient, removed: dict[str, int], by: Actor) -> Erasure:
    audit.record(recipient.tenant_id, ERASE, recipient.pk, by=by)
    log.info("erasure requested", action="erase", tenant=str(recipient.tenant_id), recipient=str(recipient.pk))
    return Erasure.objects.create(
        tenant_id=recipient.tenant_id, recipient_id=recipient.pk, removed=removed, requested_at=datetime.now(UTC)
    )


def _keep_digests(tenant: Tenant, addresses: dict[str, str]) -> None:
    for channel, address in addresses.items():
        digest = digest_of(tenant, channel, address)
        ErasedAddress.objects.get_or_create(tenant=tenant, channel=channel, digest=digest)


def _blank(recipient: Recipient) -> None:
    recipient.name = recipient.email = recipient.phone = recipient.locale = ""
    recipient.timezone = recipient.device_timezone = ""
    recipient.attributes = {}
    recipient.status = Recipient.State.ERASED
    recipient.save()


def _forget_suppressions(recipient: Recipient, addresses: dict[str, str]) -> int:
    """Delete the suppressions of the person's addresses; the digests suppress them. Another recipient's suppression
    stays: their address is not forgotten."""
    removed = 0
    for channel, address in addresses.items():
        column = "email" if channel == "email" else "phone"
        if not Recipient.objects.filter(tenant_id=recipient.tenant_id, **{column: address}).exists():
            rows = Suppression.objects.filter(tenant_id=recipient.tenant_id, channel=channel, address=address)
            removed += rows.delete()[0]
    return removed


def _forget_in_changes(recipient: Recipient, addresses: list[str]) -> None:
    """Consent changes stay as a record, without the address. Last: deleting devices and suppressions writes some."""
    changes = ConsentChange.objects.filter(tenant_id=recipient.tenant_id)
    changes.filter(recipient_id=recipient.pk).exclude(address="").update(address="")
    changes.filter(address__in=[address for address in addresses if address]).update(address="")


def _forget_in_reports(recipient: Recipient, words: list[str]) -> None:
    """Reports of imports quote the values of rejected rows."""
    for upload in Import.objects.filter(tenant_id=recipient.tenant_id).exclude(problems=[]).only("problems"):
        kept = [problem for problem in upload.problems if not any(word in str(problem[1]) for word in words)]
        if len(kept) < len(upload.problems):
            Import.objects.filter(pk=upload.pk).update(problems=kept)


# ---- by a worker ---------------------------------------------------------------------------------------------------


def run_open(now: datetime) -> int:
    """Go on with every open erasure; returns how many are done now. Engine role. Several runs at once are safe."""
    done = 0
    for erasure in Erasure.objects.filter(state=Erasure.State.RUNNING).order_by("id")[:BATCH]:
        done += _run(erasure, now)
    return done


def _run(erasure: Erasure, now: datetime) -> bool:
    left, removed = False, dict[str, Any](erasure.removed)
    for kind, eraser in _erasers.items():
        erased = eraser(erasure.tenant_id, erasure.recipient_id)
        removed[kind] = removed.get(kind, 0) + erased.rows
        left |= erased.left
    finished = not left and now - erasure.requested_at >= SETTLED_AFTER
    changes: dict[str, Any] = {"state": Erasure.State.DONE, "finished_at": now} if finished else {}
    Erasure.objects.filter(pk=erasure.pk, state=Erasure.State.RUNNING).update(removed=removed, **changes)
    if finished:
        log.info("erased", action="erase", tenant=str(erasure.tenant_id), recipient=str(erasure.recipient_id))
    return finished
