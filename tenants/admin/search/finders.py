"""The registry of finders. A finder answers a term by one indexed query for each kind of the term that it knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import Promise

from tenants.admin.search.terms import Term

Text = str | Promise
#: rows of one kind that a page of results shows
SHOWN = 20


@dataclass(frozen=True)
class Hit:
    """One row that the term finds: where it leads, its title, and a line that tells it from its neighbours."""

    title: str
    url: str
    line: str = ""


@dataclass(frozen=True)
class Finder:
    """`model`: users who may not view the model's page get no hits; None for pages of the menu. `find` returns at most
    `SHOWN` + 1 hits of the user's tenants: row-level security limits them, and `visible_rows` does again."""

    key: str
    rank: int
    title: Text
    icon: str
    find: Callable[[HttpRequest, Term], Iterable[Hit]]
    model: type[Model] | None = None


@dataclass(frozen=True)
class FoundGroup:
    """The hits of one finder. `more`: there are more than are shown."""

    title: Text
    icon: str
    hits: Sequence[Hit] = field(default_factory=tuple)
    more: bool = False


_finders: dict[str, Finder] = {}


def register_finder(finder: Finder) -> None:
    """Let the search box call this finder. Call it in `AppConfig.ready`."""
    _finders[finder.key] = finder


def find(request: HttpRequest, term: Term, viewable: Callable[[type[Model]], bool]) -> list[FoundGroup]:
    """The hits by kind, in the order of the finders' ranks; kinds without hits are left out. Needs a transaction."""
    groups = []
    for finder in sorted(_finders.values(), key=lambda finder: (finder.rank, finder.key)):
        if finder.model is None or viewable(finder.model):
            hits = list(dict.fromkeys(finder.find(request, term)))
            if hits:
                groups.append(FoundGroup(finder.title, finder.icon, tuple(hits[:SHOWN]), len(hits) > SHOWN))
    return groups
