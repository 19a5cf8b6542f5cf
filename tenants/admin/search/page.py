"""The page of results at /admin/find/. Exactly one hit leads to it at once."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from tenants.admin.search.finders import FoundGroup, Hit, find
from tenants.admin.search.terms import Term, read_term

TEMPLATE = "admin/search/find.html"


@require_safe
def find_view(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Results by kind; a redirect to the only one. An empty term shows what one can search by."""
    term = read_term(request.GET.get("q", ""))
    groups: list[FoundGroup] = []
    context = site.each_context(request)
    if term.text:
        groups = find(request, term, lambda model: _is_viewable(request, site, model))
        groups += _menu_pages(context["navigation"], term)
    hits = [hit for group in groups for hit in group.hits]
    if len({hit.url for hit in hits}) == 1:
        return HttpResponseRedirect(hits[0].url)
    shown: dict[str, Any] = {**context, "title": _("Find"), "term": term.text[:200], "groups": groups}
    return TemplateResponse(request, TEMPLATE, shown)


def _is_viewable(request: HttpRequest, site: AdminSite, model: Any) -> bool:
    page = site._registry.get(model)
    return page is not None and page.has_view_permission(request)


def _menu_pages(menu: Any, term: Term) -> list[FoundGroup]:
    """The pages of the user's menu in whose titles the term occurs."""
    needle = term.text.casefold()
    pages = [page for group in menu.groups for page in group.pages if needle in page.title.casefold()]
    hits = tuple(Hit(page.title[:1].upper() + page.title[1:], page.url) for page in pages)
    return [FoundGroup(_("Pages"), "web", hits)] if hits and term.is_part_of_name else []
