"""The page behind a preferences link: GET shows it and changes nothing, POST stores and leads back to it.

A POST needs no cookie and no form token: the link itself authorizes it, for one recipient and 30 days.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.datastructures import MultiValueDict
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from notifier.api.framework.origin import origin_of
from notifier.api.people.preferences import change
from notifier.delivery.content.links.preferences_link import PreferencesLink, read_token
from notifier.errors import InvalidInput
from notifier.vocabulary.status import ConsentSource
from notifier.web.csp import HEADER, policy
from notifier.web.languages import accepted_languages
from notifier.web.preferences import renewal
from notifier.web.preferences.form import WrongField, read_form, snooze_date
from notifier.web.preferences.state import (
    State,
    category_choices,
    channel_options,
    channel_switches,
    languages_of,
    load_state,
)
from notifier.web.preferences.texts import LANGUAGES, own_texts, texts_for
from tenants.access import scope
from tenants.people.preferences import lock_preferences

#: no confirmation mail can be sent to the recipient
_NO_MAIL = ("no_confirmation", "confirmation_too_soon")
_HOST = re.compile(r"[A-Za-z0-9.-]+")


@method_decorator([csrf_exempt, never_cache, transaction.non_atomic_requests], name="dispatch")
class PreferencesPage(View):
    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        link = _read(token)
        with scope(link.tenant_id):
            state = _state(link)
            return _ended(request, state) if link.ended else _form(request, state)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """Stores what the form says, or sends a new link for one that has ended."""
        link = _read(token)
        with scope(link.tenant_id, source=ConsentSource.PERSON):
            state = _state(link)
            if link.ended:
                sent = renewal.send_link(state)
                return _ended(request, state, renewed=sent, refused=not sent)
            posted = _posted(request)
            try:
                with transaction.atomic():
                    # the form is compared with what is stored, so an unsubscribe at the same moment comes before or
                    # after
                    lock_preferences(link.tenant_id, link.recipient_id)
                    state = _state(link)
                    change(link.tenant_id, link.recipient_id, _values(posted, state), origin_of(request, "page"))
            except WrongField as wrong:
                return _form(request, state, posted, wrong=wrong.name)
            except InvalidInput as error:
                if error.code not in _NO_MAIL:
                    raise
                return _form(request, state, posted, wrong="opt_in")
        return HttpResponseRedirect(f"{request.path}?saved=1")


def _values(posted: MultiValueDict[str, str], state: State) -> dict[str, Any]:
    """The preferences to store. Raises WrongField."""
    choice = posted.get("choice")
    if choice in ("none", "some"):
        return {"everything_off": choice == "none"}
    return read_form(posted, state, languages_of(state), datetime.now(UTC))


def _read(token: str) -> PreferencesLink:
    link = read_token(token)
    if link is None:
        raise Http404
    return link


def _state(link: PreferencesLink) -> State:
    state = load_state(link.tenant_id, link.recipient_id)
    if state is None:
        raise Http404
    return state


def _posted(request: HttpRequest) -> MultiValueDict[str, str]:
    """The fields of the form. Django takes 1,000 fields at most, and the page of a tenant with many categories has
    more; the size of the body is limited all the same."""
    if request.content_type != "application/x-www-form-urlencoded":
        return request.POST
    fields: MultiValueDict[str, str] = MultiValueDict()
    for name, value in parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True):
        fields.appendlist(name, value)
    return fields


def _form(
    request: HttpRequest, state: State, posted: MultiValueDict[str, str] | None = None, *, wrong: str = ""
) -> HttpResponse:
    """`posted`: what was sent, of a form with a wrong field."""
    language, texts = _texts(request, state)
    quiet = state.preferences["quiet_hours"] or {}
    posted = posted or MultiValueDict()
    context = {
        "channels": channel_switches(state, texts),
        "categories": category_choices(state, texts),
        "everything_off": state.preferences["everything_off"],
        "unconfirmed": sorted(c.name for c in state.categories if c.key in state.unconfirmed),
        "preferred": state.preferred(),
        "options": channel_options(state, state.preferences["preferred_channels"].values(), texts),
        "snoozed_until": posted.get("snoozed_until", snooze_date(state)),
        "quiet_from": posted.get("quiet_from", quiet.get("from", "")),
        "quiet_until": posted.get("quiet_until", quiet.get("until", "")),
        "languages": [(tag, LANGUAGES.get(tag, tag)) for tag in languages_of(state)],
        "chosen_language": state.preferences["language"],
        "wrong": wrong,
        "saved": "saved" in request.GET and not wrong,
    }
    return _page(request, state, (language, texts), context, status=400 if wrong else 200)


def _ended(request: HttpRequest, state: State, *, renewed: bool = False, refused: bool = False) -> HttpResponse:
    address = renewal.masked_address(state)
    context = {"ended": True, "renewed": renewed, "address": "" if refused else address}
    return _page(request, state, _texts(request, state), context, status=410)


def _texts(request: HttpRequest, state: State) -> tuple[str, Mapping[str, str]]:
    """The page's language: the recipient's, else the browser's, else the tenant's."""
    own = (state.preferences["language"], state.person.locale)
    return texts_for(*own, *accepted_languages(request), state.tenant.default_locale)


def _page(
    request: HttpRequest,
    state: State,
    language: tuple[str, Mapping[str, str]],
    context: Mapping[str, Any],
    status: int,
) -> HttpResponse:
    tag, texts = language
    filled = {
        name: text.format(sender=state.tenant.name, address=context.get("address", ""), url="")
        for name, text in texts.items()
        if not name.startswith("leave")
    }
    response = render(
        request,
        "preferences.html",
        {**context, "tenant": state.tenant, "language": tag, "t": filled, "own": own_texts(state.tenant, tag)},
        status=status,
    )
    if origin := _origin_of(state.tenant.logo_url):
        nonce = str(request.csp_nonce)  # type: ignore[attr-defined]
        response[HEADER] = policy(request, nonce).replace("img-src 'self'", f"img-src 'self' {origin}")
    return response


def _origin_of(url: str) -> str:
    """The origin of an https address, as a policy names it: a host of another script in its ASCII form. Empty for an
    address whose host is none: a semicolon or a letter that is not ASCII would break the whole policy."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:
        return ""
    if not _HOST.fullmatch(host):
        return ""
    return f"https://{host}" if port is None else f"https://{host}:{port}"
