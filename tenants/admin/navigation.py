"""The main menu: pages by task instead of by table.

A page says where it stands by the class attributes `group`, `rank`, `icon` and `in_navigation` of its ModelAdmin. What
is reached from its parent's page (a shard, a delivery's event) has `in_navigation = False`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

#: group -> its heading, in the order of the menu
GROUPS: Mapping[str, Promise] = {
    "Campaigns": _("Campaigns"),
    "Templates": _("Templates"),
    "Audiences": _("Audiences"),
    "People": _("People"),
    "Delivery": _("Delivery"),
    "Settings": _("Settings"),
    "Operations": _("Operations"),
}
OPERATIONS = "Operations"


@dataclass(frozen=True)
class NavigationPage:
    title: str
    url: str
    icon: str
    active: bool


@dataclass(frozen=True)
class NavigationGroup:
    slug: str
    title: Promise
    pages: tuple[NavigationPage, ...]


@dataclass(frozen=True)
class Navigation:
    at_home: bool
    groups: tuple[NavigationGroup, ...]


def group_of(page: Any) -> str:
    return str(getattr(page, "group", OPERATIONS))


def rank_of(page: Any) -> int:
    return int(getattr(page, "rank", 50))


def navigation(apps: Iterable[Mapping[str, Any]], registry: Mapping[Any, Any], path: str, home: str) -> Navigation:
    """The menu of a user: `apps` is Django's app list, which holds only the pages that the user may see.

    `path` is the address of the page that is open; the page whose list contains it is active.
    """
    listed = [
        (registry[model["model"]], model)
        for app in apps
        for model in app["models"]
        if model.get("admin_url") and getattr(registry[model["model"]], "in_navigation", True)
    ]
    listed.sort(key=lambda pair: (rank_of(pair[0]), str(pair[1]["name"])))
    groups = []
    for name, title in GROUPS.items():
        pages = tuple(_page(page, model, path) for page, model in listed if group_of(page) == name)
        if pages:
            groups.append(NavigationGroup(slugify(name), title, pages))
    return Navigation(path == home, tuple(groups))


def _page(page: Any, model: Mapping[str, Any], path: str) -> NavigationPage:
    url = str(model["admin_url"])
    return NavigationPage(str(model["name"]), url, str(getattr(page, "icon", "list_alt")), path.startswith(url))
