"""Bounds on what one click on a large list may read. The setting ADMIN_LIST_LIMITS overrides single bounds by name."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True)
class ListLimits:
    """Numbers of rows."""

    #: counted one by one (3 ms by an index); for more rows the list shows the planner's estimate
    counted: int = 10_000
    #: read by one step of a filter that has no index (30 ms in a table of 2 M)
    filter_window: int = 20_000
    #: returned by one query of a search
    search_matches: int = 2_000
    #: notifications whose messages a list shows when there is no search and no filter
    newest_notifications: int = 1_000
    #: messages of a campaign with one status that are sorted; more are read in the list's order, until a page is full
    sorted_messages: int = 5_000


def list_limits() -> ListLimits:
    return ListLimits(**getattr(settings, "ADMIN_LIST_LIMITS", {}))
