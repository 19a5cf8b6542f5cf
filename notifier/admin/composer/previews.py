"""What one recipient would get of content that is not stored: rendered under the limits of every message, and whether
the rules of the category would let it leave. Stores and sends nothing."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifier.admin.composer.parts import name_in_words
from notifier.admin.composer.variables import data_paths, placeholder, placeholders
from notifier.channels import channels
from notifier.channels.base import UNREAD
from notifier.delivery.content import templates
from notifier.delivery.content.attachments.listing import file_names
from notifier.delivery.content.links.variables import sample_links
from notifier.delivery.content.liquid.render_budget import shared_budget
from notifier.delivery.content.liquid.text import PERSON
from notifier.delivery.content.partly_rendered import Locale
from notifier.delivery.content.rules import flat_parts
from notifier.delivery.explain import ChannelOutcome, Subject, explain
from notifier.delivery.planning import recipients
from notifier.delivery.planning.category_rules import load_rules, rule_for
from notifier.delivery.planning.rule import Rule
from notifier.errors import NotifierError
from notifier.models import Layout
from notifier.values.sms_text import Segments, count_segments
from notifier.vocabulary.people import Person
from notifier.vocabulary.status import LANE_OF, Kind, Mode, Reason
from tenants.models import Category, Recipient, Tenant

#: stands for a recipient in a tenant that has none
SAMPLE = Person(
    uuid.UUID(int=0), "sample", "Alex Sample", "alex@example.com", "+14155550100", "", "", "active", {"chat_id": "1"}
)
#: why a message would not leave, in words
REASONS: Mapping[str, Any] = {
    Reason.NO_ADDRESS: _("there is no address for this channel"),
    Reason.EVERYTHING_OFF: _("the recipient turned everything off"),
    Reason.NOT_OPTED_IN: _("the recipient did not opt in to this category"),
    Reason.CHANNEL_OFF: _("the recipient turned this channel off"),
    Reason.CATEGORY_OFF: _("the recipient turned this category off"),
    Reason.PREFERRED_CHANNEL: _("the recipient prefers another channel"),
    Reason.ADDRESS_SUPPRESSED: _("the address is suppressed"),
    Reason.RECIPIENT_BLOCKED: _("the recipient is blocked"),
    Reason.RECIPIENT_ERASED: _("the recipient was erased"),
    Reason.NO_ACCOUNT: _("no provider account sends this channel"),
    Reason.FREQUENCY_CAP: _("a frequency cap is reached"),
    Reason.QUIET_HOURS: _("the recipient's quiet hours"),
    Reason.SNOOZED: _("the recipient snoozed notifications"),
    Reason.SEND_WINDOW: _("the send window of the recipient's country is closed"),
}


@dataclass(frozen=True)
class PreviewRequest:
    """Which content is shown to whom. `locale`: empty for the recipient's own."""

    tenant: Tenant
    content: Mapping[str, Any]
    channel: str
    locale: str = ""
    person: Person | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    layout: Layout | None = None
    category: Category | None = None


@dataclass(frozen=True)
class Preview:
    """One channel as one recipient gets it. `rule`: why the recipient would not get it, or when; `mistake`: why
    nothing can be shown; `own_locale`: the locale that the recipient gets; `filled`: variables that a placeholder
    stands for."""

    channel: str
    label: str
    look: str
    locale: str
    own_locale: str
    person: Person
    is_sample: bool
    parts: Mapping[str, Any] = field(default_factory=dict)
    rows: Mapping[str, Any] = field(default_factory=dict)
    segments: Segments | None = None
    is_silent: bool = False
    is_empty: bool = False
    rule: str = ""
    rule_detail: str = ""
    mistake: NotifierError | None = None
    filled: Sequence[str] = ()

    @property
    def look_template(self) -> str:
        return f"admin/notifier/composer/looks/{self.look}.html"


def preview(request: PreviewRequest) -> Preview | None:
    """The preview; None for a channel or a tenant's content that is not there."""
    by_locale = request.content.get(request.channel)
    if request.channel not in channels() or not by_locale:
        return None
    kind, person = channels()[request.channel], request.person or SAMPLE
    own = _own_locale(request, person)
    locale = request.locale if request.locale in by_locale else own
    common: dict[str, Any] = {
        "channel": request.channel, "label": name_in_words(request.channel), "look": kind.look, "locale": locale,
        "own_locale": own, "person": person, "is_sample": request.person is None,
    }  # fmt: skip
    if not any(by_locale[locale].values()):
        return Preview(**common, is_empty=True)
    if request.person is not None:
        common["rule"], common["rule_detail"] = _rule_in_words(request, person)
    try:
        parts, filled = _rendered(request, locale, person)
    except NotifierError as error:
        return Preview(**common, mistake=error)
    return Preview(
        **common,
        parts=parts,
        rows=_rows(request.channel, parts),
        segments=count_segments(str(parts.get("text", ""))) if kind.segmented else None,
        is_silent=kind.is_silent(parts),
        filled=filled,
    )


def _own_locale(request: PreviewRequest, person: Person) -> str:
    by_locale = request.content[request.channel]
    wanted = person.preferences.language or person.locale
    for tag in (*templates.fallbacks(wanted), *templates.fallbacks(request.tenant.default_locale)):
        if tag in by_locale:
            return tag
    return str(next(iter(by_locale)))


def _rendered(request: PreviewRequest, locale: str, person: Person) -> tuple[dict[str, Any], list[str]]:
    """The parts, and the variables that a placeholder stands for. Raises NotifierError."""
    default, kind = request.tenant.default_locale, channels()[request.channel]
    # by itself, as the default: the other locales need not be finished
    only = {request.channel: {default: request.content[request.channel][locale]}}
    publication = templates.prepare(only, request.tenant, request.layout)
    paths = [path for path in publication.compiled.variables if not path.startswith(PERSON)]
    data = placeholders(paths, request.data)
    variables = {**data, **sample_links(), PERSON: person.variables()}
    with shared_budget():
        parts = publication.compiled.render(Locale(request.channel, default), variables, request.tenant.content_rules)
    for part in kind.file_parts.intersection(parts):
        parts[part] = file_names(parts[part])
    filled = [path for path in data_paths(paths) if _lookup(request.data, path) in (None, placeholder(path))]
    return parts, filled


def _lookup(data: Mapping[str, Any], path: str) -> Any:
    value: Any = data
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _rows(name: str, parts: Mapping[str, Any]) -> dict[str, Any]:
    """The parts one by one, with the badge in words."""
    kind = channels()[name]
    in_order = {part: parts[part] for part in kind.parts if part in parts}
    rows = {part: text for part, text in flat_parts(in_order).items() if text}
    if kind.unread_part and rows.get(kind.unread_part) == UNREAD:
        rows[kind.unread_part] = gettext("the recipient's unread messages when the push leaves")
    return rows


def _rule_in_words(request: PreviewRequest, person: Person) -> tuple[str, str]:
    """Why the recipient would not get the message now, and what the deciding rule looked at; empty where nothing keeps
    it back."""
    category = request.category
    rule = Rule()
    if category is not None:
        known = load_rules(request.tenant, [category.key])
        rule = rule_for(known, category.key, LANE_OF[Kind(category.kind)])
    subject = Subject(request.tenant, person, rule, [request.channel], Mode.LIVE)
    outcome: ChannelOutcome = explain(subject, datetime.now(UTC)).channels[0]
    if outcome.outcome == "leaves":
        return "", ""
    reason = REASONS.get(outcome.reason, outcome.reason.replace("_", " "))
    deciding = next((line for line in outcome.rules if line.said.startswith(("suppressed", "waits"))), None)
    detail = deciding.looked_at if deciding is not None else ""
    if outcome.outcome == "waits" and outcome.until is not None:
        return gettext("Waits: %(reason)s.") % {"reason": reason}, detail
    return gettext("Would not be sent: %(reason)s.") % {"reason": reason}, detail


def load_person(tenant: Tenant, external_id: str) -> Person | None:
    """The recipient of the tenant with this external id."""
    if not external_id:
        return None
    return recipients.load_by_external_ids(tenant.pk, [external_id]).get(external_id)


def first_recipient(tenant: Tenant) -> str:
    """The external id of some recipient of the tenant; empty where there is none. By the index `recipient_walk`."""
    rows = Recipient.objects.filter(tenant=tenant).order_by("-id").values_list("external_id", flat=True)
    return next(iter(rows[:1]), "")
