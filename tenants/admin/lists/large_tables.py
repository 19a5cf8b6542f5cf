"""The base class of pages about tables that grow with traffic: no click reads more rows than a bound.

A list shows the rows of one tenant (to an operator also of all), in the order of its `key`.
`tests/admin/lists/test_plans.py` checks the plan of every statement of every such page on a large table.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from notifier.vocabulary.ids import parse_id
from tenants.admin.base.filters import TenantFilter
from tenants.admin.base.indexes import prefer_indexes
from tenants.admin.base.model_admin import ReadOnly, TenantModelAdmin
from tenants.admin.base.visibility import has_tenant, sees_several_tenants
from tenants.admin.lists.keyset import KeysetChangeList
from tenants.admin.lists.limits import list_limits
from tenants.admin.roles import is_platform_operator, roles_of


@dataclass(frozen=True)
class BaseRows:
    """The rows of a list before its filters. `bounded`: so few that a filter may read all of them. `note` is shown."""

    rows: QuerySet[Any]
    bounded: bool = False
    note: str = ""


class OneTenantFilter(TenantFilter):
    """A list of one tenant. A member of several tenants chooses one; an operator may also choose all."""

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        self._listed_tenant = model_admin.listed_tenant(request)
        self._offers_all = is_platform_operator(request)
        super().__init__(request, params, model, model_admin)

    def value(self) -> str | None:
        return super().value() or (str(self._listed_tenant) if self._listed_tenant else None)

    def choices(self, changelist: Any) -> Any:
        choices = list(super().choices(changelist))
        return choices if self._offers_all else choices[1:]


class LargeTableAdmin(TenantModelAdmin):
    """Subclasses set `order`, and the `search_queries` by which a search finds rows."""

    #: the order: one column, unique within a tenant, for which there is an index that begins with the tenant
    order: ClassVar[str] = "-id"
    #: the filters, by their names in the address, for which there is an index
    indexed_filters: ClassVar[tuple[str, ...]] = ("of",)
    sortable_by: ClassVar[Any] = ()
    list_max_show_all = 0

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetChangeList

    def listed_tenant(self, request: HttpRequest) -> uuid.UUID | None:
        """The tenant whose rows the list shows. None for all visible tenants: for operators and for searches."""
        chosen = request.GET.get(OneTenantFilter.parameter_name, "")
        if chosen:
            return parse_id(chosen)
        tenants = sorted(roles_of(request))
        if is_platform_operator(request) or not tenants:
            return None
        return tenants[0] if len(tenants) == 1 or not self._is_narrowed(request) else None

    def _is_narrowed(self, request: HttpRequest) -> bool:
        """Whether the address has a search, or a column by which another page links here."""
        return any(request.GET.get(name) for name in ("q", *self.linked_columns))

    def key(self, request: HttpRequest) -> str:
        """The order of the list. Only by their primary key do the rows of all tenants together have an index."""
        pk = self.opts.pk
        assert pk is not None
        return self.order if self.listed_tenant(request) or not is_platform_operator(request) else f"-{pk.name}"

    def get_ordering(self, request: HttpRequest) -> Any:
        if is_platform_operator(request) or not sees_several_tenants(request):
            return (self.key(request),)
        return ("tenant", self.order)

    def get_list_filter(self, request: HttpRequest) -> Any:
        filters = [kind for kind in super().get_list_filter(request) if kind is not TenantFilter]
        return [OneTenantFilter, *filters] if has_tenant(self.model) and sees_several_tenants(request) else filters

    def base_rows(self, request: HttpRequest, rows: QuerySet[Any]) -> BaseRows:
        """The rows of the list before its filters. When another page's link names a column, the index of that column
        bounds them."""
        is_linked = any(request.GET.get(name) for name in self.linked_columns)
        return BaseRows(rows, bounded=is_linked)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        term = search_term.strip()
        return (queryset.filter(pk__in=self.search(request, term)) if term else queryset), False

    def search(self, request: HttpRequest, term: str) -> list[Any]:
        """Primary keys of the rows that the term finds, at most `ListLimits.search_matches` by each query."""
        ids: dict[Any, None] = {}
        with prefer_indexes():
            for query in self.search_queries(request, term):
                ids |= dict.fromkeys(query.values_list("pk", flat=True)[: list_limits().search_matches])
        return list(ids)

    def rows(self, request: HttpRequest) -> QuerySet[Any]:
        """The visible rows, unordered: a search's index may not have the list's order."""
        return self.get_queryset(request).order_by()

    def search_queries(self, request: HttpRequest, term: str) -> Iterable[QuerySet[Any]]:
        """Queries over `rows` for the term, each of which an index answers."""
        return ()


class ReadOnlyLargeTableAdmin(ReadOnly, LargeTableAdmin):
    """A large list that shows rows and never edits them."""
