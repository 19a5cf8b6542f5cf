"""The A/B test of a campaign in the admin: a page with its settings and its results, the page that confirms a winner,
and the card on the campaign's page (`variants_card`)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns.admin.base import CampaignPage, View, actor, change_url
from campaigns.admin.variants.plot import rates_plot
from campaigns.arming.planning.variants import rest_waits
from campaigns.audience import people_of
from campaigns.edit.variants import KEYS, LEAST, put_variants, remove_variants
from campaigns.lifecycle.running.winner import choose_winner
from campaigns.models import Campaign, CampaignVariant, Choice, Experiment, Metric, Otherwise
from campaigns.states import LAUNCHED, State
from campaigns.variants.results import results, state_sentence
from campaigns.variants.statistics import least_difference
from notifier.errors import NotifierError
from notifier.models import Template
from tenants.admin import AUTHORS, LAUNCHERS, may

_SETTINGS = (
    "test_percent", "holdout_percent", "choice", "metric", "after_minutes", "min_sample", "otherwise", "default",
)  # fmt: skip
_NUMBERS = frozenset({"test_percent", "holdout_percent", "after_minutes", "min_sample"})
#: templates that the form offers
_MOST_TEMPLATES = 500


def variants_url(campaign: Campaign) -> str:
    return reverse("admin:campaigns_campaign_variants", args=[campaign.pk])


def variants_card(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    """The context of admin/campaigns/variants/_draft.html (before GO) and _results.html (after it); `ab_test` is None
    for a campaign that has no variants and can get none any more."""
    experiment = Experiment.objects.filter(campaign=campaign).first()
    may_edit = may(request, AUTHORS, campaign) and campaign.state not in LAUNCHED and not campaign.silent
    if experiment is None and not may_edit:
        return {"ab_test": None}
    card: dict[str, Any] = {"url": variants_url(campaign), "experiment": experiment, "may_edit": may_edit}
    if experiment is not None:
        card["variants"] = list(CampaignVariant.objects.filter(campaign=campaign).select_related("template", "version"))
        card["waits"] = rest_waits(campaign, experiment)
        card["decidable"] = _decidable(campaign, experiment)
    return {"ab_test": card}


def _decidable(campaign: Campaign, experiment: Experiment) -> bool:
    return rest_waits(campaign, experiment) and campaign.state in (State.RUNNING, State.PAUSED)


class VariantViews(CampaignPage):
    """The pages of the A/B test."""

    def views(self) -> Mapping[str, View]:
        return {**super().views(), "variants": self.variants_view, "winner": self.winner_view}

    def variants_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """The settings of a draft, and the results after GO."""
        campaign = self.find(request, pk)
        may_edit = may(request, AUTHORS, campaign) and campaign.state not in LAUNCHED and not campaign.silent
        refused = ""
        if request.method == "POST":
            if not may_edit:
                return self.not_allowed(request)
            try:
                return self._save(request, campaign)
            except NotifierError as error:
                refused = error.message
        experiment = Experiment.objects.filter(campaign=campaign).first()
        context: dict[str, Any] = {"may_edit": may_edit, "refused": refused, "experiment": experiment}
        if may_edit or experiment is None:
            context |= _form(campaign, experiment, request.POST if refused else None)
        if experiment is not None:
            context |= _figures(request, campaign, experiment)
        answer = self.render(request, campaign, "../variants/page", _("A/B test"), **context)
        answer.status_code = 400 if refused else 200
        return answer

    def _save(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        if "remove" in request.POST:
            remove_variants(campaign, by=actor(request))
            self.message_user(request, _("The campaign has no variants any more."), messages.SUCCESS)
            return HttpResponseRedirect(change_url(campaign.pk))
        before = campaign.state
        put_variants(campaign, read_form(request.POST), by=actor(request))
        campaign.refresh_from_db(fields=["state"])
        saved = _("The A/B test is saved.")
        if campaign.state != before:
            saved = _("The A/B test is saved. The campaign is a draft again: arm it anew.")
        self.message_user(request, saved, messages.SUCCESS)
        return HttpResponseRedirect(variants_url(campaign))

    def winner_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """GET asks once more; POST chooses."""
        key = (request.POST if request.method == "POST" else request.GET).get("variant", "")
        if request.method == "POST":
            return self.perform(request, pk, lambda campaign: self._choose(request, campaign, key))
        campaign = self.find(request, pk)
        if not may(request, LAUNCHERS, campaign):
            return self.not_allowed(request)
        experiment = Experiment.objects.filter(campaign=campaign).first()
        variant = CampaignVariant.objects.filter(campaign=campaign, key=key).select_related("template").first()
        if experiment is None or variant is None or not _decidable(campaign, experiment):
            return HttpResponseRedirect(variants_url(campaign))
        context = {"experiment": experiment, "variant": variant, "report": results(campaign)}
        return self.render(request, campaign, "../variants/winner", _("Choose the winner"), **context)

    def _choose(self, request: HttpRequest, campaign: Campaign, key: str) -> HttpResponse:
        changed = choose_winner(campaign.tenant_id, campaign.pk, variant=key, by=actor(request))
        success = _("Variant %(key)s is chosen: the rest of the audience gets it.") % {"key": key}
        self.report(request, changed, success, _("Variant %(key)s was chosen already.") % {"key": key})
        return HttpResponseRedirect(variants_url(campaign))


# ---- the form ------------------------------------------------------------------------------------------------------


def read_form(form: QueryDict) -> dict[str, Any]:
    """The fields of the API from the form."""
    raw: dict[str, Any] = {"variants": [_variant(form, key) for key in KEYS if _is_filled(form, key)]}
    for name in _SETTINGS:
        if name in form:
            raw[name] = _number(form[name]) if name in _NUMBERS else form[name]
    return raw


def _is_filled(form: QueryDict, key: str) -> bool:
    return bool(form.get(f"template_{key}"))


def _variant(form: QueryDict, key: str) -> dict[str, Any]:
    version = form.get(f"version_{key}", "").strip()
    weight = form.get(f"weight_{key}", "").strip()
    return {
        "template": form[f"template_{key}"],
        "version": _number(version) if version else None,
        "weight": _number(weight) if weight else 1,
    }


def _number(text: object) -> object:
    """A whole number; else the text as it is, which editing refuses by name."""
    digits = str(text).strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else text


def _form(campaign: Campaign, experiment: Experiment | None, posted: QueryDict | None) -> dict[str, Any]:
    """The context of the form: what was posted, what is stored, or the defaults."""
    stored = {each.key: each for each in CampaignVariant.objects.filter(campaign=campaign).select_related("template")}
    rows = []
    for n, key in enumerate(KEYS):
        each = stored.get(key)
        first = campaign.template.key if n == 0 and not stored else ""
        row = {
            "key": key,
            "template": each.template.key if each else first,
            "version": each.number or "" if each else "",
            "weight": each.weight if each else 1,
            "required": n < LEAST,
        }
        if posted is not None:
            row |= {name: posted.get(f"{name}_{key}", "") for name in ("template", "version", "weight")}
        rows.append(row)
    settings = experiment or Experiment()
    values = {name: getattr(settings, "default_key" if name == "default" else name) for name in _SETTINGS}
    if posted is not None:
        values |= {name: posted.get(name, values[name]) for name in _SETTINGS}
    templates = Template.objects.filter(tenant_id=campaign.tenant_id, category=campaign.template.category_id)
    return {
        "rows": rows[: max(LEAST + 1, len(stored))],
        "more_rows": rows[max(LEAST + 1, len(stored)) :],
        "values": values,
        "templates": templates.order_by("name", "key").values_list("key", "name")[:_MOST_TEMPLATES],
        "choices": {"choice": Choice.choices, "metric": Metric.choices, "otherwise": Otherwise.choices},
        "keys": KEYS,
    }


# ---- figures -------------------------------------------------------------------------------------------------------


def _figures(request: HttpRequest, campaign: Campaign, experiment: Experiment) -> dict[str, Any]:
    if campaign.launched_at is None:
        return {"sizes": expected_sizes(campaign, experiment)}
    report = results(campaign)
    return {
        "report": report,
        "state_sentence": state_sentence(report),
        "sentences": list(report.sentences.values()),
        "plots": [rates_plot(metric, report) for metric in Metric.values],
        "decidable": _decidable(campaign, experiment) and may(request, LAUNCHERS, campaign),
        "unsent": _unsent(campaign),
    }


def _unsent(campaign: Campaign) -> bool:
    """Whether some of the test's outcomes are not in the ledger yet, and so not in the figures."""
    return campaign.shards.filter(accounted=False).exclude(variant="").exists()


def expected_sizes(campaign: Campaign, experiment: Experiment) -> dict[str, Any] | None:
    """About how many people each part has, and which difference they can show; None without an audience."""
    if campaign.audience is None:
        return None
    people = campaign.audience_size or people_of(campaign.audience).people or 0
    variants = list(CampaignVariant.objects.filter(campaign=campaign))
    total = sum(each.weight for each in variants)
    tested = people * experiment.test_percent // 100
    each_size = {each.key: tested * each.weight // total for each in variants}
    smallest = min(each_size.values(), default=0)
    shows = least_difference(smallest, len(variants))
    return {
        "people": people,
        "each": each_size,
        "held_out": people * experiment.holdout_percent // 100,
        "waiting": people * (100 - experiment.test_percent - experiment.holdout_percent) // 100,
        "shows": None if shows is None else shows * 100,
        "too_small": experiment.choice == Choice.RULE and smallest < experiment.min_sample,
    }
