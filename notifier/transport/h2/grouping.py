"""Requests that share nothing by promise, grouped into batches by what they happen to share."""

from __future__ import annotations

from collections.abc import Sequence

from notifier.transport.h2.batches import Batch
from notifier.transport.h2.request_headers import Unsendable, encode_template, split_url
from notifier.vocabulary.http import Answered, Request, RequestTemplate

Headers = tuple[tuple[str, str], ...]


def group(requests: Sequence[Request]) -> tuple[dict[str, list[Batch]], list[Answered]]:
    """Origin -> batches, and the answers of the requests that can never be sent."""
    groups: dict[tuple[str, str, Headers, float], list[tuple[int, bytes]]] = {}
    unsendable: list[Answered] = []
    known_urls: dict[str, tuple[str, bytes]] = {}
    for index, request in enumerate(requests):
        try:
            origin, path = known_urls.get(request.url) or known_urls.setdefault(request.url, split_url(request.url))
        except Unsendable as error:
            unsendable.append((index, error.as_answer()))
            continue
        groups.setdefault((request.method, origin, request.headers, request.timeout), []).append((index, path))
    batches: dict[str, list[Batch]] = {}
    for (method, origin, headers, timeout), members in groups.items():
        indexes, paths = [index for index, _ in members], [path for _, path in members]
        varies = len(set(paths)) > 1
        template = RequestTemplate(method, origin, "" if varies else paths[0].decode(), headers, timeout)
        try:
            encoded = encode_template(template, varies)
        except Unsendable as error:
            unsendable += [(index, error.as_answer()) for index in indexes]
            continue
        bodies = [requests[index].body for index in indexes]
        batches.setdefault(origin, []).append(Batch(encoded, indexes, paths if varies else None, bodies, whole=True))
    return batches, unsendable
