"""Confirms a double opt-in, for the person who has the link."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db.models import Q

from notifier.channels import channels
from notifier.delivery.opt_in.requests import LIFE, Origin
from tenants.models import OptInProof
from tenants.people.opt_out import without
from tenants.people.preferences import lock_preferences


def is_over(proof: OptInProof, now: datetime) -> bool:
    """Whether the link can confirm no more: it is too old, or another mail's link has confirmed the same since this
    mail left. An old link must not undo an opt-out that came after that confirmation."""
    if proof.confirmed_at is not None:
        return False
    covers = Q(entries__contains=proof.entries) | Q(entries__contains=[proof.category])
    same = OptInProof.objects.filter(covers, recipient_id=proof.recipient_id, category=proof.category)
    return proof.asked_at + LIFE <= now or same.filter(confirmed_at__gt=proof.asked_at).exists()


def joined(opt_ins: Sequence[str], category: str, entries: Collection[str]) -> list[str]:
    """The opt-ins with these entries of the category. An opt-in to the whole category stands for each channel."""
    if category in opt_ins or category in entries:
        return [*(entry for entry in opt_ins if entry.partition(":")[0] != category), category]
    return [*opt_ins, *sorted({*entries} - {*opt_ins})]


def confirm(tenant_id: uuid.UUID, proof_id: uuid.UUID, origin: Origin, now: datetime) -> OptInProof | None:
    """Store the opt-in; returns its proof, or None where there is none. A proof that is over stays unconfirmed. A
    repeat changes nothing: the link must not undo an opt-out that came later. Needs an open transaction in the
    tenant's scope; a trigger writes the consent change."""
    proof = OptInProof.objects.filter(pk=proof_id, tenant_id=tenant_id).first()
    if proof is None:
        return None
    # the preferences are locked before the proof, as `ask_to_confirm` does
    preference = lock_preferences(tenant_id, proof.recipient_id)
    proof = OptInProof.objects.filter(pk=proof_id).first()  # as it is now; an erasure may have deleted it
    if proof is None:
        return None
    if proof.confirmed_at is not None or is_over(proof, now):
        return proof
    proof.confirmed_at, proof.confirmed_from, proof.confirmed_with = now, origin.ip, origin.agent
    proof.save(update_fields=["confirmed_at", "confirmed_from", "confirmed_with"])
    preference.categories_on = joined(preference.categories_on, proof.category, proof.entries)
    preference.categories_off = without(preference.categories_off, proof.category, proof.entries, channels())
    preference.save(update_fields=["categories_on", "categories_off", "updated_at"])
    return proof
