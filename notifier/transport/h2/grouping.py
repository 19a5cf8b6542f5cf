"""Requests that share nothing by promise, grouped into batches by what they happen to share."""

from __future__ import annotations

from collections.abc import Sequence

from notifier.transport.h2.batches import Batch
from notifier.transport.h2.protocol.encoded_rows import unsendable_rows
from notifier.transport.h2.protocol.request_headers import VALUE, Unsendable, encode_template, split_url
from notifier.vocabulary.http import Answered, Request, RequestRows, RequestTemplate

#: method, origin, names of headers, timeout, pool
_Shared = tuple[str, str, tuple[str, ...], float, str]


def group(requests: Sequence[Request]) -> tuple[list[Batch], list[Answered]]:
    """Batches of these requests, and the answers of those that can never be sent."""
    groups: dict[_Shared, list[tuple[int, bytes]]] = {}
    unsendable: list[Answered] = []
    known_urls: dict[str, tuple[str, bytes]] = {}
    for index, request in enumerate(requests):
        try:
            origin, path = known_urls.get(request.url) or known_urls.setdefault(request.url, split_url(request.url))
        except Unsendable as error:
            unsendable.append((index, error.as_answer()))
            continue
        names = tuple([name for name, _ in request.headers])
        shared = request.method, origin, names, request.timeout, request.pool
        groups.setdefault(shared, []).append((index, path))
    batches: list[Batch] = []
    for shared, members in groups.items():
        template, rows = _columns(shared, [requests[index] for index, _ in members], [path for _, path in members])
        indexes = [index for index, _ in members]
        try:
            encoded = encode_template(template, rows.paths is not None)
        except Unsendable as error:
            unsendable += [(index, error.as_answer()) for index in indexes]
            continue
        if bad := unsendable_rows(rows):
            unsendable += [(indexes[at], error.as_answer()) for at, error in bad.items()]
            good = [at for at in range(len(indexes)) if at not in bad]
            indexes, rows = [indexes[at] for at in good], rows.pick(good)
        if indexes:
            batches.append(Batch(encoded, indexes, rows, whole=True))
    return batches, unsendable


def _columns(shared: _Shared, requests: Sequence[Request], paths: list[bytes]) -> tuple[RequestTemplate, RequestRows]:
    """The requests as a template and its rows: a header whose values differ becomes a column."""
    method, origin, names, timeout, pool = shared
    same: list[tuple[str, str]] = []
    own: list[tuple[str, list[bytes]]] = []
    for at, name in enumerate(names):
        values = [request.headers[at][1] for request in requests]
        if len(set(values)) == 1 or name == "content-length":
            same.append((name, values[0]))
        else:
            own.append((name, [_encode_value(value) for value in values]))
    varies = len(set(paths)) > 1
    path = "" if varies else paths[0].decode()
    own_names, own_values = tuple([name for name, _ in own]), [values for _, values in own]
    template = RequestTemplate(method, origin, path, tuple(same), timeout, own_names, pool)
    return template, RequestRows([request.body for request in requests], paths if varies else None, own_values)


def _encode_value(value: str) -> bytes:
    """A value with a character that HTTP forbids becomes one that `unsendable_rows` refuses."""
    return value.strip(" \t").encode("latin-1") if VALUE.fullmatch(value) else b"\0"
