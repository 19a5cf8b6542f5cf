"""The versions of a template: who published which and why, where each is used, what differs between two, restoring one
as the next version; the content as a file; and the test send to oneself."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from notifier.admin.composer.live import data_of
from notifier.admin.composer.me import remember
from notifier.admin.composer.parts import name_in_words
from notifier.admin.composer.previews import REASONS
from notifier.admin.content.differences import differences
from notifier.admin.content.uses import find_uses
from notifier.delivery.accept import Accepted, accept_one
from notifier.delivery.content import templates
from notifier.delivery.content.publishing.layouts import layout_of
from notifier.errors import InvalidInput, NotifierError
from notifier.models import Template, TemplateVersion
from notifier.values.trim import trimmed
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Mode
from tenants import audit
from tenants.admin.localization.time_zones import activate_zone_of
from tenants.admin.roles import AUTHORS, may

if TYPE_CHECKING:
    from tenants.admin import TenantModelAdmin as _Page
else:
    _Page = object

#: versions on one page of the list
PAGE = 50


class VersionViews(_Page):
    """Mixin of TemplateAdmin."""

    def get_urls(self) -> list[URLPattern]:
        wrap, views = self.admin_site.admin_view, {
            "versions": require_GET(self.versions_view),
            "difference": require_GET(self.difference_view),
            "restore": require_POST(self.restore_view),
            "export": require_GET(self.export_view),
            "send": require_POST(self.send_view),
        }  # fmt: skip
        own = [path(f"<uuid:pk>/{name}/", wrap(view), name=f"notifier_template_{name}") for name, view in views.items()]
        return [*own, *super().get_urls()]

    def versions_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        template = self.find_template(request, pk)
        rows = template.versions.select_related("created_by").defer("content", "published").order_by("-number")
        below = _number(request.GET.get("below"))
        if below is not None:
            rows = rows.filter(number__lt=below)
        page = list(rows[: PAGE + 1])
        uses = find_uses([template.pk])[template.pk]
        newest = template.versions.values_list("number", flat=True).first()
        listed = [
            {
                "version": row,
                "is_newest": row.number == newest,
                "uses": [use for use in uses if use.version_id == row.pk or (
                    use.version_id is None and use.active and row.number == newest
                )],
            }
            for row in page[:PAGE]
        ]  # fmt: skip
        context = {
            "rows": listed,
            "further": page[PAGE - 1].number if len(page) > PAGE else None,
            "newest": newest,
            "can_edit": may(request, AUTHORS, template),
        }
        return self._page(request, template, "versions", _("Versions of %(name)s") % {"name": template}, context)

    def difference_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        template = self.find_template(request, pk)
        newest = template.versions.values_list("number", flat=True).first() or 0
        new = _number(request.GET.get("to")) or newest
        old = _number(request.GET.get("from")) or max(new - 1, 1)
        by_number = {row.number: row for row in template.versions.filter(number__in=(old, new))}
        if old not in by_number or new not in by_number:
            raise Http404(_("There is no such version."))
        found = differences(by_number[old].content, by_number[new].content)
        context = {
            "old": by_number[old],
            "new": by_number[new],
            "differences": [(name_in_words(each.channel), name_in_words(each.part), each) for each in found],
            "numbers": list(template.versions.values_list("number", flat=True)[:200]),
            "newest": newest,
            "can_edit": may(request, AUTHORS, template),
        }
        title = _("Version %(old)s and version %(new)s of %(name)s") % {"old": old, "new": new, "name": template}
        return self._page(request, template, "difference", title, context)

    def restore_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Publish the content of an earlier version as the next one."""
        template = self.find_template(request, pk, to_edit=True)
        number = _number(request.POST.get("number"))
        version = get_object_or_404(template.versions, number=number or 0)
        latest = template.versions.first()
        user = request.user if request.user.is_authenticated else None
        try:
            publication = templates.prepare(
                version.content, template.tenant, layout_of(template), category=template.category
            )
            if publication.is_in(latest):
                self.message_user(request, _("The newest version has this content already."))
            else:
                note = _("Restored from version %(number)s") % {"number": version.number}
                stored = templates.store(template, publication, user, note=note)
                _record(request, template, "template.publish", version=stored.number, restored=version.number)
                self.message_user(
                    request, _("Version %(number)s is published.") % {"number": stored.number}, messages.SUCCESS
                )
        except NotifierError as error:
            where = f"{error.field}: " if error.field else ""
            self.message_user(
                request,
                _("Version %(number)s cannot be published again. %(why)s")
                % {"number": version.number, "why": f"{where}{error.message}"},
                messages.ERROR,
            )
        return HttpResponseRedirect(reverse("admin:notifier_template_versions", args=[pk]))

    def export_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """The content of a version, by default the newest, as a JSON file. An import of the file gives this content."""
        template = self.find_template(request, pk)
        number = _number(request.GET.get("version"))
        rows = template.versions.all() if number is None else template.versions.filter(number=number)
        version: TemplateVersion | None = rows.first()
        if version is None:
            raise Http404(_("There is no such version."))
        answer = HttpResponse(
            json.dumps(version.content, indent=2, ensure_ascii=False), content_type="application/json; charset=utf-8"
        )
        answer["Content-Disposition"] = f'attachment; filename="{template.key}-v{version.number}.json"'
        return answer

    def send_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Send the newest version to one recipient, as the test send of a campaign does: at once, without a
        category."""
        template = self.find_template(request, pk, to_edit=True)
        recipient = trimmed(request.POST.get("recipient", ""))
        channel = request.POST.get("channel", "")
        try:
            if not recipient:
                raise InvalidInput(_("Say which recipient you are: your own external id."), field="recipient")
            accepted = accept_one(
                template.tenant_id,
                SendRequest(
                    recipient=recipient,
                    template=template.key,
                    channels=(channel,) if channel else None,
                    data=data_of(request.POST),
                    mode=Mode.LIVE,
                    route=(),
                    without_category=True,
                ),
            )
        except NotifierError as error:
            if request.headers.get("Accept") == "application/json":
                return JsonResponse({"error": error.message, "field": error.field}, status=400)
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:notifier_template_change", args=[pk]))
        remember(request, template.tenant, recipient)
        _record(request, template, "template.test", notification=str(accepted.notification_id))
        texts = outcome_texts(accepted, in_sandbox=template.tenant.sandbox)
        if request.headers.get("Accept") == "application/json":
            return JsonResponse({"outcomes": texts})
        for text in texts:
            self.message_user(request, text)
        return HttpResponseRedirect(reverse("admin:notifier_template_change", args=[pk]))

    def find_template(self, request: HttpRequest, pk: uuid.UUID, *, to_edit: bool = False) -> Template:
        """The template, if the member may see it, or edit it."""
        rows = self.get_queryset(request).select_related("tenant", "category", "layout")
        template: Template = get_object_or_404(rows, pk=pk)
        if not (may(request, AUTHORS, template) if to_edit else self.has_view_permission(request, template)):
            raise PermissionDenied
        activate_zone_of(template)
        return template

    def _page(
        self, request: HttpRequest, template: Template, page: str, title: str, context: dict[str, Any]
    ) -> HttpResponse:
        shown = {
            **self.admin_site.each_context(request), "opts": self.opts, "title": title, "template": template,
            **context,
        }  # fmt: skip
        return TemplateResponse(request, f"admin/notifier/template/{page}.html", shown)


def outcome_texts(accepted: Accepted, *, in_sandbox: bool) -> list[str]:
    """What became of each message of a test send, in sentences."""
    texts = []
    for each in accepted.deliveries:
        name = name_in_words(each.channel)
        if each.reason:
            reason = REASONS.get(each.reason, each.reason.replace("_", " "))
            texts.append(_("%(channel)s: not sent, %(reason)s.") % {"channel": name, "reason": reason})
        elif in_sandbox:
            texts.append(_("%(channel)s: on its way to the sandbox, which reaches no phone.") % {"channel": name})
        else:
            texts.append(_("%(channel)s: on its way.") % {"channel": name})
    return texts


def _record(request: HttpRequest, template: Template, action: str, **detail: Any) -> None:
    if request.user.is_authenticated:
        about = {"key": template.key, **detail}
        audit.record(template.tenant_id, action, template.pk, about, by=audit.Actor(request.user))


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else None
