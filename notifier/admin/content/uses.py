"""Where templates are used. Packages above, whose rows name templates, register in `AppConfig.ready`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from notifier.models import DigestSetting


@dataclass(frozen=True)
class TemplateUse:
    """A row that uses a template. `version_id`: the version that it keeps; None: the newest one when it runs. `url`:
    the row's page."""

    template_id: uuid.UUID
    label: str
    url: str
    version_id: uuid.UUID | None = None
    active: bool = True  #: false for what is over


#: (ids of templates, most rows a template) -> the rows, newest first. One query
UseFinder = Callable[[Sequence[uuid.UUID], int], Iterable[TemplateUse]]
_finders: list[UseFinder] = []


def register_use_finder(finder: UseFinder) -> None:
    _finders.append(finder)


def digests_using(template_ids: Sequence[uuid.UUID], most: int) -> Iterable[TemplateUse]:
    """The digests of categories that are sent as one of the templates."""
    rows = DigestSetting.objects.filter(template_id__in=template_ids).order_by("-id")
    for pk, template_id, category in rows.values_list("pk", "template_id", "category__name")[
        : most * max(1, len(template_ids))
    ]:
        label = _("digest of %(category)s") % {"category": category}
        yield TemplateUse(template_id, label, reverse("admin:notifier_digestsetting_change", args=[pk]))


def find_uses(template_ids: Sequence[uuid.UUID], most: int = 20) -> dict[uuid.UUID, list[TemplateUse]]:
    """The uses of each template, at most about `most` of each kind."""
    uses: dict[uuid.UUID, list[TemplateUse]] = {template_id: [] for template_id in template_ids}
    for finder in _finders:
        for use in finder(template_ids, most):
            uses[use.template_id].append(use)
    return uses
