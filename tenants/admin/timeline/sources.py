"""What this package holds of a person: changes of consent, proofs of opt-ins, and changes that users made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.admin.base.visibility import masked
from tenants.admin.timeline.entries import Entry, Key, Source, Window, register_source
from tenants.models import AuditLog, ConsentChange, OptInProof

AUDIT, PROOF, CONSENT = 1, 2, 3
_SOURCES: Mapping[str, Any] = {
    "person": gettext_lazy("the recipient"),
    "api": gettext_lazy("the tenant's server (API)"),
    "admin": gettext_lazy("a user of the admin"),
    "import": gettext_lazy("an import"),
    "receipt": gettext_lazy("the provider"),
    "system": gettext_lazy("Notifier"),
}
_COLUMNS: Mapping[str, Any] = {
    "everything_off": gettext_lazy("everything off"),
    "channels_off": gettext_lazy("channels off"),
    "categories_off": gettext_lazy("categories off"),
    "categories_on": gettext_lazy("asked for"),
    "preferred_channels": gettext_lazy("preferred channels"),
    "quiet_from": gettext_lazy("quiet from"),
    "quiet_until": gettext_lazy("quiet until"),
    "snoozed_until": gettext_lazy("snoozed until"),
    "language": gettext_lazy("language"),
    "status": gettext_lazy("status"),
}


def register() -> None:
    register_source(Source(AUDIT, "change", gettext_lazy("Changes"), changes, ids=int))
    register_source(Source(PROOF, "consent", gettext_lazy("Consent"), proofs))
    register_source(Source(CONSENT, "consent", gettext_lazy("Consent"), consents, by_channel=True, ids=int))


def changes(window: Window) -> Iterator[Entry]:
    """Entries of the audit log about the recipient's row."""
    recipient = window.recipient
    rows = AuditLog.objects.filter(tenant_id=recipient.tenant_id, object_id=str(recipient.pk)).select_related("user")
    for row in window.below(rows, "at", AUDIT):
        who = row.user.username if row.user else (_("an API key") if row.api_key_id else _("Notifier"))
        fields = row.detail.get("fields") or [] if isinstance(row.detail, dict) else []
        yield Entry(
            Key(row.at, AUDIT, row.pk),
            "change",
            "edit",
            row.action,
            ", ".join(map(str, fields)),
            url=reverse("admin:tenants_auditlog_change", args=[row.pk]),
            by=who,
        )


def proofs(window: Window) -> Iterator[Entry]:
    """Double opt-ins that were asked for."""
    rows = OptInProof.objects.filter(recipient=window.recipient)
    for row in window.below(rows, "asked_at", PROOF):
        confirmed = row.confirmed_at is not None
        yield Entry(
            Key(row.asked_at, PROOF, row.pk),
            "consent",
            "verified",
            _("Asked to confirm %(category)s") % {"category": row.category},
            badge=_("confirmed") if confirmed else _("not confirmed"),
            tone="good" if confirmed else "warn",
            url=reverse("admin:tenants_optinproof_change", args=[row.pk]),
        )


def consents(window: Window) -> Iterator[Entry]:
    """Changes of consent of the recipient, and suppressions of the recipient's present addresses, which name no
    recipient."""
    recipient = window.recipient
    addresses = [address for address in (recipient.email, recipient.phone) if address]
    about = Q(recipient_id=recipient.pk)
    if addresses:
        about |= Q(recipient_id=None, address__in=addresses)
    rows = ConsentChange.objects.filter(about, tenant_id=recipient.tenant_id)
    rows = rows.filter(channel=window.channel) if window.channel else rows
    for row in () if window.message else window.below(rows, "at", CONSENT):
        yield _consent(row)


def _consent(row: ConsentChange) -> Entry:
    title, line, badge, tone = describe_consent(row.changed, row.channel, row.detail)
    return Entry(
        Key(row.at, CONSENT, row.pk),
        "consent",
        "fact_check",
        title,
        " · ".join(filter(None, (line, masked(row.address)))),
        badge,
        tone,
        url=reverse("admin:tenants_consentchange_change", args=[row.pk]),
        by=str(_SOURCES.get(row.source, row.source)),
    )


def describe_consent(changed: str, channel: str, detail: Any) -> tuple[str, str, str, str]:
    """Title, line, badge and tone of a change of consent, in words."""
    detail = detail if isinstance(detail, dict) else {}
    deleted = bool(detail.get("deleted"))
    if changed == "suppression":
        if deleted:
            return _("%(channel)s: the address may be used again") % {"channel": channel}, "", _("allowed"), "good"
        cause = str(detail.get("cause", ""))
        return _("%(channel)s: the address is suppressed") % {"channel": channel}, cause, _("suppressed"), "bad"
    if changed == "device":
        return _device_change(detail, deleted)
    if changed == "preference":
        title = _("Preferences deleted") if deleted else _("Preferences changed")
        return title, columns_in_words(detail), "", "muted"
    contact = [name for name in ("email", "phone") if detail.get(name) is True]
    line = ", ".join(contact) if contact else columns_in_words(detail)
    return _("The recipient was deleted") if deleted else _("The recipient changed"), line, "", "muted"


def _device_change(detail: Mapping[str, Any], deleted: bool) -> tuple[str, str, str, str]:
    if deleted:
        return _("A device was removed"), "", "", "muted"
    if detail.get("moved"):
        return _("A device moved to another recipient"), "", "", "muted"
    if detail.get("dead"):
        return _("A device is dead"), "", _("dead"), "warn"
    return _("A device is alive again"), "", _("alive"), "good"


def columns_in_words(detail: Mapping[str, Any]) -> str:
    """`{"channels_off": ["push"]}` -> "channels off: push"."""
    return "; ".join(
        f"{_COLUMNS[name]}: {_value_in_words(value)}" for name, value in detail.items() if name in _COLUMNS
    )


def _value_in_words(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(map(str, value)) or _("none")
    if isinstance(value, dict):
        return ", ".join(f"{key or _('all')}: {name}" for key, name in value.items()) or _("none")
    return _("none") if value in (None, "") else str(value)
