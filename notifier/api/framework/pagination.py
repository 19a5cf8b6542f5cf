"""Lists by cursor: a keyset on one indexed column, so page 10,000 costs what page 1 costs."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.request import Request

from notifier.errors import InvalidInput
from notifier.values.text import is_storable

DEFAULT_LIMIT = 50
MAX_LIMIT = 100
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Order:
    """The column of the keyset, unique among the listed rows; a minus sign sorts it descending."""

    column: str
    parse: Callable[[str], Any] = str


NEWEST = Order("-id", uuid.UUID)
OLDEST = Order("id", uuid.UUID)


def page(
    request: Request, rows: QuerySet[M], show: Callable[[Sequence[M]], list[Any]], order: Order = NEWEST
) -> dict[str, Any]:
    """{data, has_more, next_cursor} with at most `?limit=` of the rows after `?cursor=`."""
    limit = _limit(request.query_params.get("limit"))
    column, backwards = order.column.lstrip("-"), order.column.startswith("-")
    if cursor := request.query_params.get("cursor"):
        after = _decode(cursor, order)
        rows = rows.filter(**{f"{column}__{'lt' if backwards else 'gt'}": after})
    listed = list(rows.order_by(order.column)[: limit + 1])
    more, listed = len(listed) > limit, listed[:limit]
    cursor = _encode(getattr(listed[-1], column)) if more else None
    return {"data": show(listed), "has_more": more, "next_cursor": cursor}


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    # the length first: int() refuses a text of more than 4,300 digits with an error of its own
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_LIMIT):
        raise InvalidInput(f"limit is a number from 1 to {MAX_LIMIT}.", field="limit")
    return int(text)


def _encode(value: object) -> str:
    return base64.urlsafe_b64encode(str(value).encode()).decode().rstrip("=")


def _decode(cursor: str, order: Order) -> Any:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        if len(text) > 1024 or not is_storable(text):
            raise ValueError
        return order.parse(text)
    except (ValueError, binascii.Error):
        raise InvalidInput("This is no cursor of this list; start without one.", field="cursor") from None
