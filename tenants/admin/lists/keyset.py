"""Lists of tables that grow with traffic: paged by key, counted up to a bound, filtered a window at a time.

Page 200 of 2 M rows is reached by reading 10,000 rows, and a filter that few rows pass by reading all; neither may
happen at a click. A page begins at the key where the last one ended, and a filter that no index serves looks through
`WINDOW` rows before it asks whether to look further.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from tenants.admin.hardening import HardenedChangeList

if TYPE_CHECKING:
    from tenants.admin.lists.large_tables import LargeTableAdmin

#: rows are counted one by one up to here (3 ms by an index); above, the planner's estimate is told
COUNTED = 10_000
#: rows that a filter looks through at a time (30 ms in a table of 2 M)
WINDOW = 20_000
AFTER, BEFORE = "after", "before"


class KeysetChangeList(HardenedChangeList):
    """`after` and `before` in the address are keys; what the template shows is in `count_text`, `note`, `links`."""

    model_admin: LargeTableAdmin
    by_key = True

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        self.key = self.model_admin.key(request)
        self._column = self.key.removeprefix("-")
        self.after, self.before = (self._cursor(name) for name in (AFTER, BEFORE))
        base_rows = self.model_admin.base_rows(request, self.root_queryset)
        self.note = base_rows.note
        #: what an index bounds already: found by a search, or named by the start
        self.bounded = base_rows.bounded or bool(self.query)
        self.root_queryset = base_rows.rows
        return super().get_queryset(request, exclude_parameters)

    def _cursor(self, name: str) -> Any:
        self.filter_params.pop(name, None)
        typed = self.params.pop(name, None)
        if typed is None:
            return None
        try:
            column: Any = self.lookup_opts.get_field(self._column)
            return column.to_python(typed)
        except ValidationError as error:
            raise IncorrectLookupParameters(error) from error

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return [self.key]

    def get_results(self, request: HttpRequest) -> None:
        size = self.list_per_page
        edge = self._edge() if self._looks_through() else None
        rows = self._from_cursor(self.queryset)
        if edge is not None:
            rows = rows.filter(**{f"{self._column}__{'gte' if self._downwards() else 'lte'}": edge})
        page = list(rows[: size + 1])
        more = len(page) > size
        page = page[:size]
        if self.before is not None:
            page.reverse()
        self.result_list = page
        self._link(page, more, edge)
        self._count(page, windowed=self._looks_through())

    def _downwards(self) -> bool:
        return self.key.startswith("-") == (self.before is None)

    def _from_cursor(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        at = self.after if self.before is None else self.before
        if at is not None:
            rows = rows.filter(**{f"{self._column}__{'lt' if self._downwards() else 'gt'}": at})
        return rows if self.before is None else rows.reverse()

    def _looks_through(self) -> bool:
        """Whether rows are left out by a filter that no index serves."""
        used = {name for spec in self.filter_specs for name in getattr(spec, "used_parameters", {})}
        return not self.bounded and bool(used - set(self.model_admin.indexed_filters))

    def _edge(self) -> Any:
        """The key at which the window ends; None if the table ends before."""
        rows = self._from_cursor(self.root_queryset.order_by(self.key))
        return next(iter(rows.values_list(self._column, flat=True)[WINDOW : WINDOW + 1]), None)

    def _link(self, page: list[Any], more: bool, edge: Any) -> None:
        keys = [getattr(row, self._column) for row in page]
        further = keys[-1] if more and self.before is None else edge if self.before is None else None
        back = keys[0] if more and self.before is not None else edge if self.before is not None else None
        if self.after is not None:
            back = keys[0] if keys else self.after
        if self.before is not None:
            further = keys[-1] if keys else self.before
        self.looked_at = WINDOW if edge is not None and not more else 0
        self.further = self.get_query_string({AFTER: further}) if further is not None else ""
        self.back = self.get_query_string({BEFORE: back}) if back is not None else ""
        self.first = self.get_query_string() if self.after is not None or self.before is not None else ""

    def _count(self, page: list[Any], *, windowed: bool) -> None:
        """What the templates of Django ask for, and the text that ours shows."""
        self.count_text = "" if windowed else count_text(self.queryset)
        self.result_count = self.full_result_count = len(page)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True
        self.paginator = Paginator(page, self.list_per_page)


def count_text(rows: QuerySet[Any]) -> str:
    """How many: exactly up to the bound; then what the planner believes of these very rows, and of nobody else's."""
    counted = rows.order_by()[: COUNTED + 1].count()
    if counted <= COUNTED:
        return f"{counted:,}"
    plan = json.loads(rows.order_by().explain(format="json"))
    return approximate(max(COUNTED, int(plan[0]["Plan"]["Plan Rows"])))


def approximate(count: int) -> str:
    """Two figures of it: "about 2.1 M", "about 310,000"."""
    if count >= 1_000_000:
        return f"about {count / 1_000_000:.1f} M"
    unit = 10 ** max(0, len(str(count)) - 2)
    return f"about {round(count / unit) * unit:,}"
