"""Erase a person: name, addresses, attributes and the content of what was sent. The external id and a hash of each
address stay, so that neither the next import nor another recipient with the address is written to.

`request` does at once what stops every message: the recipient's row, devices, preferences. `run_open`, a task, lets
each package erase the rest by what the package registered (`register_eraser`), until nothing is left.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from notifier.vocabulary.ids import new_id
from tenants import audit
from tenants.audit import Actor
from tenants.models import (
    ConsentChange,
    Device,
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
_KEEP_DIGEST = """
INSERT INTO tenants_erasedaddress (id, tenant_id, channel, digest, created_at)
SELECT %s, t.id, %s, erased_digest(t.erasure_salt, %s, %s), now() FROM tenants_tenant t WHERE t.id = %s
ON CONFLICT DO NOTHING
"""


def register_eraser(kind: str, eraser: Eraser) -> None:
    """Let every erasure call this function; its rows are counted as `kind`. Call it in `AppConfig.ready`."""
    _erasers[kind] = eraser


# ---- at once -------------------------------------------------------------------------------------------------------


def request(recipient: Recipient, by: Actor) -> Erasure:
    """Begin the erasure; a repeat returns the first one. A message that has not left does not leave from now on."""
    with transaction.atomic():
        recipient = Recipient.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=recipient.pk)
        if recipient.status == Recipient.State.ERASED:
            earlier = Erasure.objects.filter(recipient_id=recipient.pk).first()
            return earlier or _create(recipient, {}, by)
        return _create(recipient, _erase_own_rows(recipient), by)


def _erase_own_rows(recipient: Recipient) -> dict[str, int]:
    """Erase the recipient's own row, which the caller has locked, and the rows that belong to it."""
    tokens = list(Device.objects.filter(recipient=recipient).values_list("token", flat=True))
    addresses = {name: value for name, value in (("email", recipient.email), ("sms", recipient.phone)) if value}
    removed = {
        "devices": Device.objects.filter(recipient=recipient).delete()[0],
        "preferences": Preference.objects.filter(recipient=recipient).delete()[0],
    }
    proofs = OptInProof.objects.filter(recipient=recipient)
    proofs.update(text="", asked_from=None, asked_with="", confirmed_from=None, confirmed_with="")
    if addresses or recipient.name or recipient.attributes or recipient.status != Recipient.State.ERASED:
        _keep_digests(recipient.tenant, addresses)
        _blank(recipient)
    removed["suppressions"] = _forget_suppressions(recipient, addresses)
    _forget_in_reports(recipient, list(addresses.values()))
    _forget_in_changes(recipient, [*addresses.values(), *tokens])
    return removed


def _create(recipient: Recipient, removed: dict[str, int], by: Actor) -> Erasure:
    audit.record(recipient.tenant_id, ERASE, recipient.pk, by=by)
    log.info("erasure requested", action="erase", tenant=str(recipient.tenant_id), recipient=str(recipient.pk))
    return Erasure.objects.create(
        tenant_id=recipient.tenant_id, recipient_id=recipient.pk, removed=removed, requested_at=datetime.now(UTC)
    )


def _keep_digests(tenant: Tenant, addresses: dict[str, str]) -> None:
    """The database computes the hash, as in the trigger: Python has other small letters for some characters."""
    with connection.cursor() as cursor:
        for channel, address in addresses.items():
            cursor.execute(_KEEP_DIGEST, [new_id(), channel, channel, address, tenant.pk])


def _blank(recipient: Recipient) -> None:
    recipient.name = recipient.email = recipient.phone = recipient.locale = ""
    recipient.timezone = recipient.device_timezone = ""
    recipient.attributes = {}
    recipient.status = Recipient.State.ERASED
    recipient.save()


def _forget_suppressions(recipient: Recipient, addresses: dict[str, str]) -> int:
    """Delete the suppressions of the person's addresses; their hashes suppress them. Another recipient's suppression
    stays: their address is not forgotten."""
    removed = 0
    for channel, address in addresses.items():
        column = "email" if channel == "email" else "phone"
        if not Recipient.objects.filter(tenant_id=recipient.tenant_id, **{column: address}).exists():
            rows = Suppression.objects.filter(tenant_id=recipient.tenant_id, channel=channel, address=address)
            removed += rows.delete()[0]
    return removed


def _forget_in_changes(recipient: Recipient, addresses: list[str]) -> None:
    """Consent changes stay as a record, without the address. Last: deleting devices and suppressions writes some.

    An address that another recipient has stays in the changes that do not name the erased recipient: by the address
    alone, the last check before a message of the other recipient leaves finds a suppression."""
    changes = ConsentChange.objects.filter(tenant_id=recipient.tenant_id)
    changes.filter(recipient_id=recipient.pk).exclude(address="").update(address="")
    forgotten = {address for address in addresses if address} - _addresses_of_others(recipient, addresses)
    changes.filter(address__in=forgotten).update(address="")


def _addresses_of_others(recipient: Recipient, addresses: list[str]) -> set[str]:
    """Those of these addresses that another recipient of the tenant has."""
    others = Recipient.objects.filter(tenant_id=recipient.tenant_id).exclude(pk=recipient.pk)
    devices = Device.objects.filter(tenant_id=recipient.tenant_id).exclude(recipient=recipient)
    return {
        *others.filter(email__in=addresses).values_list("email", flat=True),
        *others.filter(phone__in=addresses).values_list("phone", flat=True),
        *devices.filter(token__in=addresses).values_list("token", flat=True),
    }


def _forget_in_reports(recipient: Recipient, words: list[str]) -> None:
    """Reports of imports quote the values of rejected rows. Not the external id, which stays: the id 1 is in every
    report."""
    if not words:
        return
    words = [word.lower() for word in words]  # a report quotes what was typed
    for upload in Import.objects.filter(tenant_id=recipient.tenant_id).exclude(problems=[]).only("problems"):
        kept = [problem for problem in upload.problems if not any(word in str(problem[1]).lower() for word in words)]
        if len(kept) < len(upload.problems):
            Import.objects.filter(pk=upload.pk).update(problems=kept)


# ---- by a worker ---------------------------------------------------------------------------------------------------


def run_open(now: datetime) -> int:
    """Go on with every open erasure; returns how many are done now. Engine role. Several runs at once are safe."""
    done, last = 0, uuid.UUID(int=0)
    while True:
        running = Erasure.objects.filter(state=Erasure.State.RUNNING, id__gt=last).order_by("id")
        # one that cannot end yet must not keep those after it
        erasures = list(running[:BATCH])
        for erasure in erasures:
            done += _run_alone(erasure, now)
        if len(erasures) < BATCH:
            return done
        last = erasures[-1].pk


def _run_alone(erasure: Erasure, now: datetime) -> bool:
    try:
        return _run(erasure, now)
    except (OperationalError, InterfaceError):
        raise  # the database is away, or two transactions waited for each other: the next run tries again
    except Exception:
        log.exception("erasure broke off", action="erase", tenant=str(erasure.tenant_id), erasure=str(erasure.pk))
        return False


def _run(erasure: Erasure, now: datetime) -> bool:
    left, removed = False, dict[str, Any](erasure.removed)
    for kind, count in _erase_late_rows(erasure).items():
        removed[kind] = removed.get(kind, 0) + count
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


def _erase_late_rows(erasure: Erasure) -> dict[str, int]:
    """Erase what a request or an import has stored that had read the recipient before the erasure."""
    with transaction.atomic():
        recipients = Recipient.objects.select_for_update(of=("self",)).select_related("tenant")
        recipient = recipients.filter(pk=erasure.recipient_id).first()
        return {} if recipient is None else _erase_own_rows(recipient)
