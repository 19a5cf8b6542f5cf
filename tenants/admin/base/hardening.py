"""Protection of every page of the admin: a malformed request is never a server error, and no click loads a whole table.

`HardenedAdmin` comes before ModelAdmin in the bases of each registered page. The site calls `refuse_null_characters`
and `answer_database_errors` for each request.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList as DjangoChangeList
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.db import DataError, OperationalError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from psycopg.errors import QueryCanceled

if TYPE_CHECKING:
    # Unfold has no types of its own
    _ModelAdmin = admin.ModelAdmin[Any]
    ChangeList = DjangoChangeList
else:
    from unfold.views import ChangeList

    _ModelAdmin = object


class HardenedChangeList(ChangeList):
    """A filter's value that cannot be compared is a wrong address, whichever filter it belongs to."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        try:
            return super().get_queryset(request, exclude_parameters)
        except (ValidationError, ValueError, TypeError) as error:
            raise IncorrectLookupParameters(error) from error


class HardenedAdmin(_ModelAdmin):
    """The base of every registered page."""

    show_facets = admin.ShowFacets.NEVER
    #: columns by which links on other pages filter this list; each has an index
    linked_columns: ClassVar[tuple[str, ...]] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DjangoChangeList]:
        return HardenedChangeList

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Only filters that the page offers: a typed `?detail__icontains=` would read a whole table, and a typed
        `?config__startswith=` would reveal values that no page shows."""
        offered = [
            _filter_parameter(entry) for entry in (self.get_list_filter(request) if request else self.list_filter)
        ]
        return lookup in self.linked_columns or lookup in offered or lookup.split("__")[0] in offered

    def response_action(  # type: ignore[override]  # the stubs know a parameter that Django has not
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponse | None:
        """An action affects the ticked rows: never "all across pages". Ids that no row can have are dropped."""
        posted = request.POST.copy()
        chosen = [value for value in posted.getlist(ACTION_CHECKBOX_NAME) if _is_key(value, self.model)]
        posted.setlist(ACTION_CHECKBOX_NAME, chosen)
        posted["select_across"] = "0"
        if not _is_index(posted.get("index", "0")):
            posted["index"] = "0"
        request.POST = posted  # type: ignore[assignment]
        return super().response_action(request, queryset)


def hardened(page: type[Any]) -> type[Any]:
    """A subclass of another package's page with HardenedAdmin."""
    subclass: type[Any] = types.new_class(f"Hardened{page.__name__}", (HardenedAdmin, page))
    return subclass


def _is_key(value: str, of: type[Model]) -> bool:
    try:
        of._default_manager.filter(pk=value)
    except (ValidationError, ValueError, TypeError):
        return False
    return True


def _filter_parameter(entry: Any) -> str:
    """The parameter of one of a page's filters: a column's name, or the filter's own name for it."""
    if isinstance(entry, str):
        return entry
    return str(entry[0]) if isinstance(entry, tuple | list) else str(getattr(entry, "parameter_name", ""))


class HardenedAutocomplete(AutocompleteSelect):
    """Django's widget queries the database for any typed text, also for one that cannot be a key."""

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        target = self.field.remote_field.model
        return super().optgroups(name, [key for key in value if not key or _is_key(str(key), target)], attr)


def _is_index(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 4


def refuse_null_characters(request: HttpRequest, kwargs: dict[str, Any]) -> HttpResponse | None:
    """An error page for a request with U+0000, which PostgreSQL cannot store or compare; None for other requests."""
    values_of_request = [*kwargs.values(), request.path]
    for name, values in (*request.GET.lists(), *request.POST.lists()):
        values_of_request += [name, *values]
    if not any(isinstance(value, str) and "\0" in value for value in values_of_request):
        return None
    return message_page(
        request, 400, "This cannot be read", "The address or a field holds the character U+0000; remove it."
    )


def answer_database_errors(request: HttpRequest, view: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """The view's response, or a page that says what to do when the database refused or stopped a statement."""
    try:
        return view()
    except DataError:
        return message_page(
            request, 400, "This cannot be read", "A value in the address or the form is out of its range."
        )
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        return message_page(
            request,
            503,
            "This takes too long",
            "The database was stopped before it found an answer, so that other requests need not wait. Nothing was "
            "changed. Search for less, choose fewer rows, or try again later.",
        )


def message_page(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    """A page with one sentence, which needs no database."""
    return render(request, "admin/message.html", {"title": title, "text": text}, status=status)
