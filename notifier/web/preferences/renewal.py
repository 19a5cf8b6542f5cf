"""A new link for one that has ended, by mail to the recipient's own address: whoever holds an old link learns nothing
new, and changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog
from django.db import transaction

from notifier.delivery.accept import accept_one
from notifier.delivery.content import templates
from notifier.delivery.content.links.preferences_link import new_link, url_of
from notifier.errors import NotifierError
from notifier.models import Notification, Template
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Status
from notifier.web.preferences.state import State
from notifier.web.preferences.texts import LANGUAGES, texts_for

log = structlog.get_logger("notifier.web")

#: the tenant may edit it
TEMPLATE = "preferences-link"
#: a recipient gets one mail in so long
PAUSE = timedelta(minutes=10)


def masked_address(state: State) -> str:
    """`a…@example.com`; empty for a recipient without an email address."""
    local, at, domain = state.person.email.rpartition("@")
    return f"{local[:1]}…{at}{domain}" if at else ""


def send_link(state: State) -> bool:
    """Send a new link; False when no mail can go to the recipient. A repeat within PAUSE sends nothing and returns
    True."""
    if not state.person.email:
        return False
    try:
        with transaction.atomic():
            template = _template(state)
            if _sent_lately(state, template):
                return True
            accepted = accept_one(state.tenant.pk, _request(state))
        return any(delivery.status == Status.QUEUED for delivery in accepted.deliveries)
    except NotifierError as error:
        log.warning("no preferences link sent", tenant=str(state.tenant.pk), error=type(error).__name__)
        return False


def _request(state: State) -> SendRequest:
    url = url_of(new_link(state.tenant.pk, state.person.id))
    data = {"url": url, "sender": state.tenant.name}
    return SendRequest(
        recipient=state.person.external_id, template=TEMPLATE, channels=("email",), data=data, without_category=True
    )


def _sent_lately(state: State, template: Template) -> bool:
    since = datetime.now(UTC) - PAUSE
    rows = Notification.objects.filter(tenant=state.tenant, recipient_id=state.person.id, created_at__gt=since)
    return rows.filter(version__template=template).exists()


def _template(state: State) -> Template:
    """The tenant's template; made from the page's own texts when it is needed for the first time."""
    template, created = Template.objects.select_for_update().get_or_create(
        tenant=state.tenant, key=TEMPLATE, defaults={"name": "Link to the preferences page"}
    )
    if created or not template.versions.exists():
        # every template has the tenant's default locale
        locales = {*LANGUAGES, state.tenant.default_locale}
        templates.publish(template, {"email": {locale: _content(locale) for locale in sorted(locales)}})
    return template


def _content(locale: str) -> dict[str, str]:
    _, texts = texts_for(locale)
    text = texts["mail_text"].format(sender="{{ sender }}", url="{{ url }}")
    return {"subject": texts["mail_subject"], "text": text}
