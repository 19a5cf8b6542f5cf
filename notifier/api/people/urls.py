"""Addresses of the people's part of the API. A slash in an external_id is %2F, so that it is one segment."""

from __future__ import annotations

from notifier.api.framework.paths import path
from notifier.api.people import categories, devices, preferences, recipients

urlpatterns = [
    path("categories", categories.Categories.as_view()),
    path("categories/<segment:key>", categories.CategoryOne.as_view()),
    path("recipients", recipients.Recipients.as_view()),
    path("recipients/<segment:external_id>/preferences", preferences.Preferences.as_view()),
    path("recipients/<segment:external_id>/devices", devices.Devices.as_view()),
    path("recipients/<segment:external_id>/devices/<id:device_id>", devices.DeviceOne.as_view()),
    path("recipients/<segment:external_id>", recipients.RecipientOne.as_view()),
]
