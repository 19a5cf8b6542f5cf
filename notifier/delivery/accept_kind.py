"""What the requests of one call share that name the same template, category and channels: decided once for all of them.
`accept` asks for the kind of each request."""

from __future__ import annotations

from copy import copy
from typing import Any

from notifier.delivery.accept_context import AcceptContext
from notifier.delivery.content import templates
from notifier.delivery.content.liquid.text import PERSON
from notifier.delivery.draft import RequestKind
from notifier.delivery.planning.plan import Rule
from notifier.delivery.routes.accepting import choose_route
from notifier.delivery.routes.read_route import check_content
from notifier.errors import InvalidInput, NotifierError
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.routes import channels_of
from notifier.vocabulary.status import LANE_OF, Kind
from tenants.categories import archived_error

#: by what makes a kind: the kind, or why its requests are refused
Kinds = dict[Any, RequestKind | NotifierError]


def kind_of(context: AcceptContext, kinds: Kinds, request: SendRequest) -> RequestKind:
    """Raises the NotifierError that refuses all requests of the kind. 0.5 µs for a kind that is known."""
    key = (
        request.template,
        request.category,
        request.without_category,
        request.channels,
        request.route,
        request.digest is not None,
        request.of_digest is not None,
    )
    kind = kinds.get(key)
    if kind is None:
        try:
            kind = _decide(context, request)
        except NotifierError as error:
            kind = error
        kinds[key] = kind
    if isinstance(kind, RequestKind):
        return kind
    raise copy(kind)


def _decide(context: AcceptContext, request: SendRequest) -> RequestKind:
    if request.template not in context.versions:
        raise InvalidInput(f"There is no template {request.template!r}.", field="template", code="unknown_template")
    version_id, own_category, own_route = context.versions[request.template]
    rule = _rule(context, request, own_category)
    route = choose_route(request, own_route)
    compiled = templates.compiled(version_id)
    channels = compiled.channels if request.channels is None else request.channels
    if route:
        check_content(route, compiled.channels)
        channels = channels_of(route)
    _check_channels(channels, compiled)
    if rule.kind == Kind.MARKETING:
        compiled.check_opt_out(channels, request.template, "category" if request.category else "template")
    steps = tuple(tuple(step.channels) for step in route) or (tuple(channels),)
    return RequestKind(
        version_id, compiled, rule, LANE_OF[rule.kind], route, tuple(channels), steps, compiled.reads(PERSON)
    )


def _rule(context: AcceptContext, request: SendRequest, own_category: str) -> Rule:
    category = "" if request.without_category else request.category or own_category
    if category and category not in context.rules:
        raise InvalidInput(f"There is no category {category!r}.", field="category", code="unknown_category")
    # what was gathered before the category was archived still leaves
    if request.category in context.archived and request.category != own_category and request.of_digest is None:
        raise archived_error(category, "category")
    return context.rules.get(category, Rule())


def _check_channels(channels: tuple[str, ...], compiled: templates.Compiled) -> None:
    if not channels:
        raise InvalidInput("Must name at least one channel.", field="channels", code="empty")
    missing_channels = [name for name in channels if name not in compiled.channels]
    if missing_channels:
        raise InvalidInput(
            f"The template has no content for: {', '.join(missing_channels)}.", field="channels", code="no_content"
        )
