"""Keyset pagination: lists of tables that grow with traffic, counted up to a bound and filtered one window at a time.

By offset, page 200 of 2 M rows would read 10,000 rows, and a filter that few rows pass would read the whole table. Here
a page begins at the key where the last page ended. A filter without an index looks through a window of rows
(`ListLimits.filter_window`) and then offers to look further.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from tenants.admin.base.hardening import HardenedChangeList
from tenants.admin.lists.limits import list_limits

if TYPE_CHECKING:
    from tenants.admin.lists.large_tables import LargeTableAdmin

AFTER, BEFORE = "after", "before"


class KeysetChangeList(HardenedChangeList):
    """`after` and `before` in the address are keys. The template shows `count_text`, `note` and the links `first`,
    `back` and `further`."""

    model_admin: LargeTableAdmin
    by_key = True

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        self.key = self.model_admin.key(request)
        self._column = self.key.removeprefix("-")
        self.after, self.before = (self._pop_key(name) for name in (AFTER, BEFORE))
        base_rows = self.model_admin.base_rows(request, self.root_queryset)
        self.note = base_rows.note
        #: whether the rows are few already: the result of a search, or bounded by the page
        self.bounded = base_rows.bounded or bool(self.query)
        self.root_queryset = base_rows.rows
        return super().get_queryset(request, exclude_parameters)

    def _pop_key(self, name: str) -> Any:
        """The key in the address under this name, as a value of its column; None without one."""
        self.filter_params.pop(name, None)
        text = self.params.pop(name, None)
        if text is None:
            return None
        try:
            column: Any = self.lookup_opts.get_field(self._column)
            return column.to_python(text)
        except ValidationError as error:
            raise IncorrectLookupParameters(error) from error

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return [self.key]

    def get_results(self, request: HttpRequest) -> None:
        size = self.list_per_page
        window_end = self._window_end() if self._needs_window() else None
        rows = self._from_key(self.queryset)
        if window_end is not None:
            rows = rows.filter(**{f"{self._column}__{'gte' if self._is_descending() else 'lte'}": window_end})
        page = list(rows[: size + 1])
        has_more = len(page) > size
        page = page[:size]
        if self.before is not None:
            page.reverse()
        self.result_list = page
        self._set_links(page, has_more, window_end)
        self._set_counts(page, windowed=self._needs_window())

    def _is_descending(self) -> bool:
        """Whether keys fall in the direction of reading: of the list, or against it for the page before a key."""
        return self.key.startswith("-") == (self.before is None)

    def _from_key(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows beyond the key of the address, in the direction of reading."""
        key = self.after if self.before is None else self.before
        if key is not None:
            rows = rows.filter(**{f"{self._column}__{'lt' if self._is_descending() else 'gt'}": key})
        return rows if self.before is None else rows.reverse()

    def _needs_window(self) -> bool:
        """Whether a filter without an index is used, on rows that are not few already."""
        used = {name for spec in self.filter_specs for name in getattr(spec, "used_parameters", {})}
        return not self.bounded and bool(used - set(self.model_admin.indexed_filters))

    def _window_end(self) -> Any:
        """The key at which the window ends; None if the table ends before."""
        window = list_limits().filter_window
        rows = self._from_key(self.root_queryset.order_by(self.key))
        return next(iter(rows.values_list(self._column, flat=True)[window : window + 1]), None)

    def _set_links(self, page: list[Any], has_more: bool, window_end: Any) -> None:
        keys = [getattr(row, self._column) for row in page]
        further = keys[-1] if has_more and self.before is None else window_end if self.before is None else None
        back = keys[0] if has_more and self.before is not None else window_end if self.before is not None else None
        if self.after is not None:
            back = keys[0] if keys else self.after
        if self.before is not None:
            further = keys[-1] if keys else self.before
        self.looked_through = list_limits().filter_window if window_end is not None and not has_more else 0
        self.further = self.get_query_string({AFTER: further}) if further is not None else ""
        self.back = self.get_query_string({BEFORE: back}) if back is not None else ""
        self.first = self.get_query_string() if self.after is not None or self.before is not None else ""

    def _set_counts(self, page: list[Any], *, windowed: bool) -> None:
        """Set the attributes that Django's templates read, and the text that ours shows."""
        self.count_text = "" if windowed else count_text(self.queryset)
        self.result_count = self.full_result_count = len(page)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True
        self.paginator = Paginator(page, self.list_per_page)


def count_text(rows: QuerySet[Any]) -> str:
    """The number of rows: exact up to the bound; above, the planner's estimate for these very rows."""
    bound = list_limits().counted
    counted = rows.order_by()[: bound + 1].count()
    if counted <= bound:
        return f"{counted:,}"
    plan = json.loads(rows.order_by().explain(format="json"))
    return approximate(max(bound, int(plan[0]["Plan"]["Plan Rows"])))


def approximate(count: int) -> str:
    """The count in two figures: "about 2.1 M", "about 310,000"."""
    if count >= 1_000_000:
        return f"about {count / 1_000_000:.1f} M"
    unit = 10 ** max(0, len(str(count)) - 2)
    return f"about {round(count / unit) * unit:,}"
