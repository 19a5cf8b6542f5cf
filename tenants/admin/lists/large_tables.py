"""The base of pages about tables that grow with traffic: nothing that a click does there reads more than an index says.

A list shows the rows of one tenant (an operator's, of all), in the order of its `key`. `tests/admin/test_plans.py`
looks at every such page's statements on a large table.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from tenants.admin.base import ReadOnly, TenantFilter, TenantModelAdmin, has_tenant, sees_several_tenants
from tenants.admin.lists.indexes import prefer_indexes
from tenants.admin.lists.keyset import KeysetChangeList
from tenants.admin.roles import is_operator, roles_of

#: ids that a search finds at most, each way
FOUND = 2_000


@dataclass(frozen=True)
class BaseRows:
    """The rows that a list is about before its filters. `bounded`: so few that any filter may read them all."""

    rows: QuerySet[Any]
    bounded: bool = False
    note: str = ""


class OneTenantFilter(TenantFilter):
    """A list of one tenant: whoever is a member of several chooses which; an operator may look at all."""

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        self._listed_tenant = model_admin.listed_tenant(request)
        self._all = is_operator(request)
        super().__init__(request, params, model, model_admin)

    def value(self) -> str | None:
        return super().value() or (str(self._listed_tenant) if self._listed_tenant else None)

    def choices(self, changelist: Any) -> Any:
        found = list(super().choices(changelist))
        return found if self._all else found[1:]


class LargeTableAdmin(TenantModelAdmin):
    """Subclasses name their `key`, and the `ways` in which a search finds rows."""

    #: the order: one column, unique within a tenant, that an index beginning with the tenant serves
    order: ClassVar[str] = "-id"
    #: filters (as the address names them) that an index serves
    indexed_filters: ClassVar[tuple[str, ...]] = ("of",)
    sortable_by: ClassVar[Any] = ()
    list_max_show_all = 0

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetChangeList

    def listed_tenant(self, request: HttpRequest) -> uuid.UUID | None:
        """The tenant whose rows the list shows; None: of all that one sees, for operators and for what was searched."""
        asked = request.GET.get(OneTenantFilter.parameter_name, "")
        if asked:
            return parse_uuid(asked)
        mine = sorted(roles_of(request))
        if is_operator(request) or not mine:
            return None
        return mine[0] if len(mine) == 1 or not self._narrowed(request) else None

    def _narrowed(self, request: HttpRequest) -> bool:
        return any(request.GET.get(name) for name in ("q", *self.linked_columns))

    def key(self, request: HttpRequest) -> str:
        """The order of the list. All tenants' rows together are in order by their primary key only."""
        pk = self.opts.pk
        assert pk is not None
        return self.order if self.listed_tenant(request) or not is_operator(request) else f"-{pk.name}"

    def get_ordering(self, request: HttpRequest) -> Any:
        return (
            (self.key(request),)
            if not sees_several_tenants(request) or is_operator(request)
            else ("tenant", self.order)
        )

    def get_list_filter(self, request: HttpRequest) -> Any:
        filters = [kind for kind in super().get_list_filter(request) if kind is not TenantFilter]
        return [OneTenantFilter, *filters] if has_tenant(self.model) and sees_several_tenants(request) else filters

    def base_rows(self, request: HttpRequest, rows: QuerySet[Any]) -> BaseRows:
        """Where the list starts from. A link that names a column starts from the rows that its index finds."""
        linked = any(request.GET.get(name) for name in self.linked_columns)
        return BaseRows(rows, bounded=linked)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        term = search_term.strip()
        return (queryset.filter(pk__in=self.found(request, term)) if term else queryset), False

    def found(self, request: HttpRequest, term: str) -> list[Any]:
        """Primary keys of what the term finds."""
        ids: dict[Any, None] = {}
        with prefer_indexes():
            for way in self.search_queries(request, term):
                ids |= dict.fromkeys(way.values_list("pk", flat=True)[:FOUND])
        return list(ids)

    def rows(self, request: HttpRequest) -> QuerySet[Any]:
        """Those that the user sees, in no order: whatever order a search would ask for, its index may not have."""
        return self.get_queryset(request).order_by()

    def search_queries(self, request: HttpRequest, term: str) -> Iterable[QuerySet[Any]]:
        """Each a query over `rows` that an index answers."""
        return ()


class ReadOnlyLargeTableAdmin(ReadOnly, LargeTableAdmin):
    """A large list that shows and never edits."""


def parse_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
