"""Accepts and stores one group of requests, all of one tenant, in one transaction.

A request that is refused takes nothing from the others: its answer is a problem document, and nothing of it is stored.
When an unexpected error ends the group's transaction, each request of the group is tried again by itself, so that only
the one at fault fails.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError, connection, transaction
from rest_framework.exceptions import APIException
from structlog.contextvars import bound_contextvars

from notifier.api.direct import replays
from notifier.api.direct.replays import Kept, KeyTaken, Name
from notifier.api.direct.requests import Outcome, Request
from notifier.api.framework.authentication import ApiCaller, lacks_scope, load_callers, unknown_key
from notifier.api.framework.errors import Problem, problem_of
from notifier.delivery import accept
from notifier.errors import Conflict, NotifierError
from notifier.vocabulary.people import SendRequest
from notifier.web.direct import Answer, refusal

log = structlog.get_logger("notifier.api")
#: how often a group begins anew because another transaction stored one of its idempotency keys
TRIES = 3
SCOPE = "send"


@dataclass
class _Fresh:
    """A request that was not answered before, and what it asks for."""

    request: Request
    caller: ApiCaller
    name: Name | None
    attempts: list[SendRequest | Problem]


def store(requests: Sequence[Request]) -> list[Answer]:
    """The answer to each request, once what it stored is committed."""
    answers: dict[int, Answer] = {}
    waiting = list(range(len(requests)))
    while waiting:
        now = _first_of_each_key(requests, waiting)
        answers.update(zip(now, _answers([requests[i] for i in now]), strict=True))
        waiting = [i for i in waiting if i not in answers]
    return [answers[i] for i in range(len(requests))]


def _first_of_each_key(requests: Sequence[Request], waiting: Sequence[int]) -> list[int]:
    """The requests that one transaction may answer: of those with the same idempotency key only the first."""
    first: dict[object, int] = {}
    for i in waiting:
        request = requests[i]
        first.setdefault((request.endpoint, request.idempotency_key) if request.idempotency_key else i, i)
    return list(first.values())


def _answers(requests: Sequence[Request]) -> list[Answer]:
    for _ in range(TRIES):
        try:
            return _transaction(requests)
        except KeyTaken:
            continue
        except (OperationalError, InterfaceError) as error:
            connection.close()
            log.warning("database is away", action="api error", error=type(error).__name__)
            return [_refused(request, error) for request in requests]
        except Exception as error:
            if len(requests) > 1:
                return [answer for request in requests for answer in _answers([request])]
            log.exception("unexpected error", action="api error")
            return [_refused(requests[0], error)]
    return [_refused(request, Conflict(replays.NOT_ENDED, code="in_progress")) for request in requests]


def _transaction(requests: Sequence[Request]) -> list[Answer]:
    with transaction.atomic():
        callers = load_callers(sorted({request.key_digest for request in requests}))
        names = {i: name for i, r in enumerate(requests) if (name := _name(r, callers))}
        kept = replays.find(_tenant_of(callers), sorted(set(names.values()))) if names else {}
        read = [_read(request, callers, kept) for request in requests]
        fresh = [entry for entry in read if isinstance(entry, _Fresh)]
        answered = iter(_accepted(fresh))
        return [next(answered) if isinstance(entry, _Fresh) else entry for entry in read]


def _tenant_of(callers: dict[bytes, ApiCaller]) -> uuid.UUID:
    return next(iter(callers.values())).tenant_id


def _name(request: Request, callers: dict[bytes, ApiCaller]) -> Name | None:
    caller = callers.get(request.key_digest)
    return None if caller is None else replays.name_of(request, caller)


def _read(request: Request, callers: dict[bytes, ApiCaller], kept: dict[Name, Kept]) -> _Fresh | Answer:
    try:
        caller = callers.get(request.key_digest)
        if caller is None:
            raise unknown_key()
        if not caller.may(SCOPE):
            raise PermissionDenied(lacks_scope(SCOPE))
        name = replays.name_of(request, caller)
        if name is not None and name in kept:
            return kept[name].replay(request)
        return _Fresh(request, caller, name, request.attempts(caller))
    except (NotifierError, APIException, PermissionDenied) as error:
        return _refused(request, error)


def _accepted(fresh: Sequence[_Fresh]) -> list[Answer]:
    """Accept what the requests ask for, and keep the answers of those with an idempotency key."""
    if not fresh:
        return []
    outcomes = iter(
        accept(fresh[0].caller.tenant_id, [a for f in fresh for a in f.attempts if isinstance(a, SendRequest)])
    )
    answers, keeping = [], []
    for entry in fresh:
        own: list[Outcome] = [next(outcomes) if isinstance(a, SendRequest) else a for a in entry.attempts]
        try:
            answers.append(entry.request.answer(own))
        except NotifierError as error:
            answers.append(_refused(entry.request, error))  # stores nothing, not even its idempotency key
            continue
        if entry.name is not None:
            keeping.append((entry.name, entry.request, answers[-1]))
    replays.keep(fresh[0].caller, keeping)
    return answers


def _refused(request: Request, error: BaseException) -> Answer:
    with bound_contextvars(request_id=request.request_id):
        return refusal(problem_of(error), request.endpoint.path)
