"""Asks a recipient to confirm opt-ins, by a mail to the recipient's own address."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from notifier.delivery.accept import accept_one
from notifier.delivery.content import templates
from notifier.delivery.content.links.opt_in_link import OptInLink, url_of
from notifier.delivery.opt_in.texts import CONTENT, language_of
from notifier.delivery.planning.recipients import load_by_ids
from notifier.errors import InvalidInput, NotifierError
from notifier.models import Delivery, Notification, Template
from notifier.values.colors import text_color_on
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Person, SendRequest
from notifier.vocabulary.status import Kind, Mode, Status
from tenants.models import Category, OptIn, OptInProof, Tenant

#: the tenant may edit it
TEMPLATE = "opt-in-confirmation"
#: how long a link can confirm
LIFE = timedelta(days=7)
#: a recipient gets one mail a category in so long
PAUSE = timedelta(minutes=10)
#: mails that a recipient gets in DAY: of one category, and of all. Anyone who knows an address of a sign-up form can
#: ask in its owner's name, and a form without a limit of its own must not flood the owner
MOST_OF_CATEGORY, MOST_MAILS = 3, 20
DAY = timedelta(days=1)
_DEFAULT_COLOR = "#1d4ed8"
_LONGEST_AGENT = 300


@dataclass(frozen=True)
class Origin:
    """Where a choice came from: `by` is api, page or widget; `ip` and `agent` are of the caller, `mode` is of the
    caller's key: the confirmation mail of a test key goes to the sandbox."""

    by: str
    ip: str | None = None
    agent: str = ""
    mode: Mode = Mode.LIVE

    @property
    def is_recipient(self) -> bool:
        """Whether the recipient chose, with a link or a token of their own, and not the tenant's server."""
        return self.by in ("page", "widget")

    @classmethod
    def from_headers(cls, by: str, ip: str | None, agent: str | None, mode: Mode = Mode.LIVE) -> Origin:
        return cls(by, ip or None, (agent or "")[:_LONGEST_AGENT].replace("\0", ""), mode)


BY_API = Origin("api")


def with_double_opt_in(tenant_id: uuid.UUID, keys: Collection[str]) -> list[str]:
    """Those of these categories that have double opt-in."""
    if not keys:
        return []
    marketing_by_tenant = Q(opt_in="", kind=Kind.MARKETING, tenant__opt_in=OptIn.DOUBLE)
    double = Category.objects.filter(Q(opt_in=OptIn.DOUBLE) | marketing_by_tenant, tenant_id=tenant_id, key__in=keys)
    return sorted(double.values_list("key", flat=True))


def unconfirmed(recipient_id: uuid.UUID, now: datetime) -> list[str]:
    """The categories that the recipient asked for and can still confirm."""
    pending = _asked(recipient_id, Mode.LIVE, now - LIFE).filter(confirmed_at=None)
    return sorted(set(pending.values_list("category", flat=True)))


def _asked(recipient_id: uuid.UUID, mode: Mode, since: datetime) -> QuerySet[OptInProof]:
    """The proofs of mails that left in this mode. A mail to the sandbox reaches no recipient, so it neither stands for
    a live mail nor counts as one."""
    of_another_mode = Notification.objects.filter(pk=OuterRef("notification_id")).exclude(mode=mode)
    return OptInProof.objects.filter(~Exists(of_another_mode), recipient_id=recipient_id, asked_at__gt=since)


def ask_to_confirm(
    tenant_id: uuid.UUID, recipient_id: uuid.UUID, by_category: Mapping[str, list[str]], origin: Origin, now: datetime
) -> None:
    """Send one mail for each category. Within PAUSE of the last mail, that mail stands for the new choice too.

    Needs the lock of the recipient's preferences, so that two calls at once send one mail. Raises InvalidInput, naming
    the category, for a recipient whom no mail reaches, or who got too many of these mails today."""
    if not by_category:
        return
    sent = _sent_today(recipient_id, origin.mode, now)
    person = load_by_ids(tenant_id, [recipient_id])[recipient_id]
    tenant = Tenant.objects.get(pk=tenant_id)
    for key, entries in sorted(by_category.items()):
        recent = _asked(recipient_id, origin.mode, now - PAUSE).filter(category=key)
        if last := recent.order_by("-id").first():
            _widen(last, entries)
            continue
        if sent[key] >= MOST_OF_CATEGORY or sent.total() >= MOST_MAILS:
            raise _too_many(key)
        sent[key] += 1
        proof = OptInProof(
            id=new_id(),
            tenant=tenant,
            recipient_id=recipient_id,
            category=key,
            entries=sorted(entries),
            asked_at=now,
            asked_by=origin.by,
            asked_from=origin.ip,
            asked_with=origin.agent,
        )
        _send(tenant, person, proof, origin.mode)
        proof.save(force_insert=True)


def _sent_today(recipient_id: uuid.UUID, mode: Mode, now: datetime) -> Counter[str]:
    """Category -> the mails that left in this mode in the last DAY."""
    proofs = _asked(recipient_id, mode, now - DAY).filter(notification_id__isnull=False)
    return Counter(proofs.values_list("category", flat=True))


def _too_many(category: str) -> InvalidInput:
    return InvalidInput(
        f"The recipient was asked {MOST_OF_CATEGORY} times for this category, or {MOST_MAILS} times for all of them,"
        " in the last 24 hours. Ask again tomorrow; the link of the last mail stays valid for seven days.",
        field=f"categories.{category}",
        code="confirmation_too_soon",
    )


def _widen(last: OptInProof, entries: Sequence[str]) -> None:
    """Let the mail that is on its way confirm these entries, too."""
    if last.confirmed_at is not None:
        raise InvalidInput(
            "The recipient confirmed an opt-in to this category a moment ago; ask for another one in ten minutes.",
            field=f"categories.{last.category}",
            code="confirmation_too_soon",
        )
    last.entries = sorted({*last.entries, *entries})
    last.save(update_fields=["entries"])


def _send(tenant: Tenant, person: Person, proof: OptInProof, mode: Mode) -> None:
    """Send the mail, and note its text in the proof."""
    if not person.email:
        raise _no_mail(proof.category, "the recipient has no email address")
    url = url_of(OptInLink(tenant.pk, proof.pk))
    template = _template(tenant)
    try:
        accepted = accept_one(tenant.pk, _request(tenant, person, proof, url, mode))
    except NotifierError as error:
        raise _no_mail(proof.category, error.message) from error
    if all(delivery.status != Status.QUEUED for delivery in accepted.deliveries):
        raise _no_mail(proof.category, ", ".join(d.reason.replace("_", " ") for d in accepted.deliveries))
    version = template.versions.order_by("-number").first()
    locale = person.preferences.language or person.locale
    assert version is not None
    proof.language = templates.compiled(version.pk).locale_for("email", locale, tenant.default_locale).name
    proof.notification_id = accepted.notification_id
    contents = Delivery.objects.filter(notification_id=accepted.notification_id).values_list("content", flat=True)
    content = contents.get() or {}
    text = f"{content['subject']}\n\n{content.get('text') or content.get('html', '')}"
    # the link is a right by itself, and a reader of the proof must not have it
    proof.text = text.replace(url, "…")
    proof.text_sha256 = hashlib.sha256(proof.text.encode()).hexdigest()


def _no_mail(category: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"This category needs a confirmation by email, and none can be sent: {why}.",
        field=f"categories.{category}",
        code="no_confirmation",
    )


def _request(tenant: Tenant, person: Person, proof: OptInProof, url: str, mode: Mode) -> SendRequest:
    category = Category.objects.get(tenant=tenant, key=proof.category)
    color = tenant.brand_color or _DEFAULT_COLOR
    data = {
        "url": url,
        "sender": tenant.name,
        "category": category.name,
        "description": category.description,
        "color": color,
        "text_color": text_color_on(color),
    }
    return SendRequest(
        recipient=person.external_id,
        template=TEMPLATE,
        channels=("email",),
        data=data,
        mode=mode,
        without_category=True,
    )


def _template(tenant: Tenant) -> Template:
    """The tenant's template; made from the built-in texts when it is needed for the first time."""
    template, created = Template.objects.select_for_update().get_or_create(
        tenant=tenant, key=TEMPLATE, defaults={"name": "Confirmation of an opt-in"}
    )
    if created or not template.versions.exists():
        languages = {**CONTENT}
        # every template has the tenant's default locale
        languages.setdefault(tenant.default_locale, CONTENT[language_of(tenant.default_locale)])
        templates.publish(template, {"email": {name: dict(parts) for name, parts in languages.items()}})
    return template
