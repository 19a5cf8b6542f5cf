"""Addresses of the endpoints for people. A slash in an external_id is written %2F, so the id is one segment."""

from __future__ import annotations

from notifier.api.framework.paths import path
from notifier.api.people import (
    categories,
    consents,
    devices,
    digests,
    erasure,
    export,
    frequency_caps,
    preferences,
    recipients,
)

urlpatterns = [
    path("recipients/<segment:external_id>/erase", erasure.EraseView.as_view()),
    path("recipients/<segment:external_id>/export", export.ExportView.as_view()),
    path("erasures/<id:erasure_id>", erasure.ErasureView.as_view()),
    path("categories", categories.CategoriesView.as_view()),
    path("categories/<segment:key>", categories.CategoryView.as_view()),
    path("categories/<segment:key>/digest", digests.CategoryDigestView.as_view()),
    path("frequency-caps", frequency_caps.FrequencyCapsView.as_view()),
    path("frequency-caps/<id:frequency_cap_id>", frequency_caps.FrequencyCapView.as_view()),
    path("recipients", recipients.RecipientsView.as_view()),
    path("recipients/<segment:external_id>/preferences", preferences.PreferencesView.as_view()),
    path("recipients/<segment:external_id>/preferences-link", preferences.PreferencesLinkView.as_view()),
    path("recipients/<segment:external_id>/consents", consents.ConsentsView.as_view()),
    path("recipients/<segment:external_id>/devices", devices.DevicesView.as_view()),
    path("recipients/<segment:external_id>/devices/<id:device_id>", devices.DeviceView.as_view()),
    path("recipients/<segment:external_id>", recipients.RecipientView.as_view()),
]
