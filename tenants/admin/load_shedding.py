"""The card of load shedding on the home page, and the operator's switch behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifier.errors import InvalidInput
from notifier.values.duration import parse_duration
from notifier.vocabulary.load import Level, Switch
from tenants.admin.home import Card, register_card
from tenants.admin.roles import is_platform_operator
from tenants.audit import Actor
from tenants.load_shedding import read_state
from tenants.load_shedding.switch import set_switch

#: durations of `on`, with their texts
LENGTHS = {
    "15m": gettext_lazy("15 minutes"),
    "1h": gettext_lazy("1 hour"),
    "4h": gettext_lazy("4 hours"),
    "24h": gettext_lazy("24 hours"),
}
_CAUSES = {
    "backlog": gettext_lazy("urgent messages wait for a worker"),
    "accept_latency": gettext_lazy("accepting a notification takes long"),
    "event_loop": gettext_lazy("web processes are busy"),
}


def register() -> None:
    register_card(Card("load", 8, "admin/tenants/home/load.html", load))


def load(request: HttpRequest) -> Mapping[str, Any] | None:
    """Always for an operator; for a member while load is shed, because the member's work waits."""
    state, is_operator = read_state(), is_platform_operator(request)
    if state.level is Level.NORMAL and not is_operator:
        return None
    switch = state.active_switch
    shown = {"shedding": state.level is Level.SHEDDING, "until": state.until, "switch": switch.value}
    if not is_operator:
        return shown
    cause = _CAUSES.get(state.cause, "") if switch is Switch.AUTO else ""
    return {**shown, "by": state.switched_by, "cause": cause, "lengths": LENGTHS.items(), "csrf": get_token(request)}


def switch_view(request: HttpRequest) -> HttpResponse:
    """POST `switch` (on, off, auto) and, with `on`, `for`. Operators only."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not is_platform_operator(request):
        raise PermissionDenied
    try:
        state = set_switch(*_read(request), by=Actor(request.user))  # type: ignore[arg-type]
    except InvalidInput as error:
        messages.error(request, error.message)
    else:
        is_shedding = state.level is Level.SHEDDING
        messages.success(request, _("Load is shed.") if is_shedding else _("Load is not shed."))
    return HttpResponseRedirect(reverse("admin:index"))


def _read(request: HttpRequest) -> tuple[Switch, Any]:
    """The switch and its length. Raises InvalidInput."""
    word, length = request.POST.get("switch", ""), request.POST.get("for", "")
    if word not in set(Switch):
        raise InvalidInput(_("Choose on, off or auto."), field="switch")
    if word != Switch.ON:
        return Switch(word), None
    if length not in LENGTHS:
        raise InvalidInput(_("Choose one of the durations."), field="for")
    return Switch.ON, parse_duration(length)
