"""Accepts and stores one group of requests, all of one tenant, in one transaction.

A request that is refused takes nothing from the others: its answer is a problem document, and nothing of it is stored.
When an unexpected error ends the group's transaction, each request of the group is tried again by itself, so that only
the one at fault fails.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected, QueryCanceled
from rest_framework.exceptions import APIException
from structlog.contextvars import bound_contextvars

from notifier import failpoints
from notifier.api.direct import replays
from notifier.api.direct.replays import Name
from notifier.api.direct.requests import Endpoint, Outcome, Request
from notifier.api.framework.authentication import ApiCaller, lacks_scope, load_callers, unknown_key
from notifier.api.framework.errors import Problem, problem_of
from notifier.delivery import accept
from notifier.errors import NotifierError, Unavailable
from notifier.rates import limits
from notifier.vocabulary.people import SendRequest
from notifier.web.replica import pins
from notifier.web.serving.direct import Answer, refusal

log = structlog.get_logger("notifier.api")
SCOPE = "send"
#: what refuses one request, and no other of its group
REFUSALS = (NotifierError, APIException, PermissionDenied)


@dataclass
class _Fresh:
    """A request that may be accepted: what it asks for, and with a key its name and digest."""

    request: Request
    caller: ApiCaller
    attempts: list[SendRequest | Problem]
    name: Name | None = None
    digest: bytes = b""


def store(requests: Sequence[Request]) -> list[Answer]:
    """The answer to each request, once what it stored is committed."""
    answers: dict[int, Answer] = {}
    waiting = list(range(len(requests)))
    while waiting:
        now = _first_of_each_key(requests, waiting)
        answers.update(zip(now, _answers([requests[i] for i in now]), strict=True))
        waiting = [i for i in waiting if i not in answers]
    pins.key_wrote(request.key_digest for request in requests)
    return [answers[i] for i in range(len(requests))]


def _first_of_each_key(requests: Sequence[Request], waiting: Sequence[int]) -> list[int]:
    """The requests that one transaction may answer: of those with the same idempotency key only the first."""
    first: dict[object, int] = {}
    for i in waiting:
        request = requests[i]
        first.setdefault((request.endpoint, request.idempotency_key) if request.idempotency_key else i, i)
    return list(first.values())


def _answers(requests: Sequence[Request]) -> list[Answer]:
    try:
        with bound_contextvars(**_log_fields(requests)):
            answers = _transaction(requests)
            failpoints.reach("direct.before-answer")
            return answers
    except (OperationalError, InterfaceError) as error:
        connection.close()
        return _after_database_error(requests, error)
    except Unavailable as error:
        return [_refused(request, error) for request in requests]
    except Exception as error:
        if len(requests) > 1:
            return [answer for request in requests for answer in _answers([request])]
        log.exception("unexpected error", action="api error")
        return [_refused(requests[0], error)]


def _after_database_error(requests: Sequence[Request], error: Exception) -> list[Answer]:
    """A claimed idempotency key may have waited for another process that works on the same request: then the requests
    without a key are tried again."""
    log.warning("database is away", action="api error", error=type(error).__name__)
    keyless = [request for request in requests if request.idempotency_key is None]
    if not isinstance(error.__cause__, QueryCanceled | DeadlockDetected) or len(keyless) in (0, len(requests)):
        return [_refused(request, error) for request in requests]
    answers = iter(_answers(keyless))
    return [_refused(r, error) if r.idempotency_key is not None else next(answers) for r in requests]


def _log_fields(requests: Sequence[Request]) -> dict[str, object]:
    """The ids by which the line of an acceptance is found from those of its requests."""
    ids = [request.request_id for request in requests]
    trace = {"trace_id": requests[0].trace.trace_id} if len(ids) == 1 and requests[0].trace else {}
    return {"request_id": ids[0], **trace} if len(ids) == 1 else {"request_ids": ids}


def _transaction(requests: Sequence[Request]) -> list[Answer]:
    with transaction.atomic():
        callers = load_callers(sorted({request.key_digest for request in requests}))
        entries = [_read(request, callers) for request in requests]
        fresh = [entry for entry in entries if isinstance(entry, _Fresh)]
        answers = _accepted(fresh[0].caller.tenant_id, fresh) if fresh else {}
        failpoints.reach("direct.before-commit")
        return [answers[id(entry)] if isinstance(entry, _Fresh) else entry for entry in entries]


def _read(request: Request, callers: Mapping[bytes, ApiCaller]) -> _Fresh | Answer:
    try:
        caller = callers.get(request.key_digest)
        if caller is None:
            raise unknown_key()
        if not caller.may(SCOPE):
            raise PermissionDenied(lacks_scope(SCOPE))
        key = request.idempotency_key
        if key is None:
            return _Fresh(request, caller, _attempts(request, caller))
        name = (caller.mode.value, request.endpoint.value, key)
        return _Fresh(request, caller, [], name, replays.digest(request))
    except REFUSALS as error:
        return _refused(request, error)


def _attempts(request: Request, caller: ApiCaller) -> list[SendRequest | Problem]:
    attempts = request.attempts(caller)
    limits.take_recipients(caller.key_id, len(attempts))
    return attempts


def _accepted(tenant_id: uuid.UUID, fresh: Sequence[_Fresh]) -> dict[int, Answer]:
    """The answers, by the entries' ids."""
    keys = replays.claim(tenant_id, {f.name: f.digest for f in fresh if f.name is not None})
    answers = {id(f): answer for f in fresh if (answer := _replayed_or_refused(f, keys))}
    asking = [f for f in fresh if id(f) not in answers]
    sent = [a for f in asking for a in f.attempts if isinstance(a, SendRequest)]
    one_call = fresh[0].request.endpoint is Endpoint.BULK
    outcomes = iter(accept(tenant_id, sent, one_call=one_call) if sent else [])
    keeping: dict[Name, Answer] = {}
    for f in asking:
        own: list[Outcome] = [next(outcomes) if isinstance(a, SendRequest) else a for a in f.attempts]
        try:
            answers[id(f)] = f.request.answer(own)
        except NotifierError as error:
            answers[id(f)] = _refused(f.request, error)
            continue
        if f.name is not None:
            keeping[f.name] = answers[id(f)]
    keys.keep(keeping)
    return answers


def _replayed_or_refused(entry: _Fresh, keys: replays.Keys) -> Answer | None:
    """The answer to a request with a key that is not accepted: it was answered before, or its body is refused."""
    if entry.name is None:
        return None
    try:
        if (answer := keys.replay(entry.name, entry.digest)) is not None:
            return answer
        entry.attempts = _attempts(entry.request, entry.caller)
    except REFUSALS as error:
        return _refused(entry.request, error)
    return None


def _refused(request: Request, error: BaseException) -> Answer:
    with bound_contextvars(request_id=request.request_id):
        return refusal(problem_of(error), request.endpoint.path)
