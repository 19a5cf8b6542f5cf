"""Templates whose messages become marketing after they were published: they need a link to opt out as well.

`tenants.categories` asks before a category becomes marketing (notifier/apps.py registers it), `campaigns.edit` before a
campaign takes a template. Requests are checked by `delivery.accept`, contents by `templates.prepare`.
"""

from __future__ import annotations

from collections.abc import Collection

from notifier.channels import channels
from notifier.delivery.content.templates import compiled
from notifier.errors import Conflict, InvalidInput
from notifier.models import Template, TemplateVersion
from notifier.vocabulary.status import Kind
from tenants.models import Category

#: templates that a refusal names
_MOST_NAMED = 5


def check_template(template: Template, names: Collection[str], field: str = "template") -> None:
    """Raise InvalidInput for a marketing template whose newest version has no link to opt out on these channels."""
    if template.category is None or template.category.kind != Kind.MARKETING:
        return
    version = TemplateVersion.objects.filter(template=template).order_by("-number").first()
    if version is not None:
        compiled(version.pk).check_opt_out(names, template.key, field)


def check_kind(category: Category, kind: str) -> None:
    """Raise Conflict when the category would become marketing and the newest version of one of its templates has an
    email without a link to opt out."""
    if kind != Kind.MARKETING:
        return
    newest = TemplateVersion.objects.filter(template__category=category).order_by("template_id", "-number")
    unfit = []
    for version in newest.distinct("template_id").select_related("template"):
        try:
            compiled(version.pk).check_opt_out(channels(), version.template.key, "kind")
        except InvalidInput:
            unfit.append(version.template.key)
    if unfit:
        raise Conflict(
            f"The email of {', '.join(sorted(unfit)[:_MOST_NAMED])} has no link by which its recipient opts out, which"
            " marketing needs: write {{ unsubscribe_url }} into its html or layout, publish it again, and then change"
            " the kind.",
            field="kind",
            code="no_unsubscribe_link",
        )
