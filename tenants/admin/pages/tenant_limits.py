"""A tenant's limits on its settings page: rates, quotas as lines of text, and what is used of them. Operators write
them; members read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django import forms
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifier.channels.names import check_channel_names
from notifier.errors import InvalidInput
from notifier.vocabulary.quotas import Period, read_quotas
from tenants.models import Tenant

#: columns that only an operator writes
RATES = ("requests_per_second", "recipients_per_second")
LINES = "quota_lines"
_WORDS = 3
_MOST = 1_000_000_000

#: the lines that say what a tenant used
Usage = Callable[[Tenant], Sequence[str]]
_usages: list[Usage] = []


def register_usage(usage: Usage) -> None:
    """Show these lines on the page. Call it in `AppConfig.ready`."""
    _usages.append(usage)


def field() -> forms.CharField:
    return forms.CharField(
        required=False,
        max_length=2000,
        label=gettext_lazy("quotas"),
        widget=forms.Textarea(attrs={"rows": 4, "cols": 60}),
        help_text=gettext_lazy(
            "The most messages of a channel, a line each: email day 10000, sms month 5000. Days and months are those "
            "of the tenant's time zone. Empty: no quota."
        ),
    )


def lines_of(stored: Any) -> str:
    return "\n".join(f"{quota.channel} {quota.period} {quota.most}" for quota in read_quotas(stored))


def read_lines(text: str) -> dict[str, dict[str, int]] | None:
    """The column of these lines; None without any. Raises InvalidInput."""
    quotas: dict[str, dict[str, int]] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        words = line.replace(",", "").split()
        if len(words) != _WORDS or words[1] not in set(Period) or not words[2].isdecimal():
            raise InvalidInput(_("Write a channel, day or month, and a number: email day 10000."), field=LINES)
        channel, period, most = check_channel_names(words[:1], LINES)[0], words[1], int(words[2])
        if period in quotas.get(channel, {}):
            raise InvalidInput(_("There are two lines for %(what)s.") % {"what": " ".join(words[:2])}, field=LINES)
        if most > _MOST:
            raise InvalidInput(_("At most a thousand million."), field=LINES)
        quotas.setdefault(channel, {})[period] = most
    return quotas or None


def changed_values(before: Any, after: Any) -> Mapping[str, list[str | None]]:
    """For the audit entry: [before, after]."""
    return {"quotas": [lines_of(before).replace("\n", ", ") or None, lines_of(after).replace("\n", ", ") or None]}


def shown_usage(tenant: Tenant) -> str:
    lines = [(line,) for usage in _usages for line in usage(tenant)]
    return format_html_join("", "<div>{}</div>", lines) if lines else "–"
