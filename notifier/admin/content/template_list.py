"""The list of templates: channels, locales, the last change, and where each template is used."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from notifier.admin.composer.parts import name_in_words
from notifier.admin.content.uses import TemplateUse, find_uses
from notifier.models import Template, TemplateVersion
from tenants.admin.base.hardening import HardenedChangeList

if TYPE_CHECKING:
    from tenants.admin import TenantModelAdmin as _Page
else:
    _Page = object

#: uses of one template that the list counts
MOST_USES = 20


class TemplateChangeList(HardenedChangeList):
    """Loads what the columns show for the rows of the page: one query for versions, one for each kind of use."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        newest = newest_versions([row.pk for row in rows])
        uses = find_uses([row.pk for row in rows], MOST_USES)
        for row in rows:
            row.newest = newest.get(row.pk)
            row.uses = uses[row.pk]
        self.result_list = rows


def newest_versions(template_ids: list[uuid.UUID]) -> dict[uuid.UUID, TemplateVersion]:
    """The newest version of each template, without its content."""
    rows = TemplateVersion.objects.filter(template__in=template_ids).select_related("created_by")
    return {
        row.template_id: row
        for row in rows.defer("content", "published", "variables")
        .order_by("template_id", "-number")
        .distinct("template_id")
    }


class TemplateList(_Page):
    """Mixin of TemplateAdmin."""

    list_display = ("key", "name", "channels_shown", "locales_shown", "category", "changed", "used_by", "preview_link")
    list_select_related = ("tenant", "category")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return TemplateChangeList

    @admin.display(description=_("channels"))
    def channels_shown(self, template: Template) -> str:
        names = template.newest.changed_in if template.newest else {}  # type: ignore[attr-defined]
        return format_html_join(
            " ", '<span class="n-badge n-badge--info">{}</span>', ((name_in_words(name),) for name in names)
        )

    @admin.display(description=_("locales"))
    def locales_shown(self, template: Template) -> str:
        by_channel = template.newest.changed_in.values() if template.newest else ()  # type: ignore[attr-defined]
        return ", ".join(sorted({locale for by_locale in by_channel for locale in by_locale}))

    @admin.display(description=_("last change"))
    def changed(self, template: Template) -> Any:
        newest = template.newest  # type: ignore[attr-defined]
        if newest is None:
            return _("not published yet")
        return newest.created_at

    @admin.display(description=_("used by"))
    def used_by(self, template: Template) -> str:
        uses: list[TemplateUse] = [use for use in template.uses if use.active]  # type: ignore[attr-defined]
        if not uses:
            return ""
        more = len(uses) - 2
        text = format_html_join(", ", '<a href="{}">{}</a>', ((use.url, use.label) for use in uses[:2]))
        return format_html(
            "{} {}", text, ngettext("and %(count)s more", "and %(count)s more", more) % {"count": more}
        ) if more > 0 else text  # fmt: skip

    @admin.display(description=_("preview"))
    def preview_link(self, template: Template) -> str:
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:notifier_template_preview", args=[template.pk]), _("Preview")
        )
