"""Addresses of the people's part of the API. An external_id may hold slashes, so the longer addresses come first."""

from __future__ import annotations

from django.urls import path

from tenants.api import categories, devices, preferences, recipients

urlpatterns = [
    path("categories", categories.Categories.as_view()),
    path("categories/<str:key>", categories.CategoryOne.as_view()),
    path("recipients", recipients.Recipients.as_view()),
    path("recipients/<path:external_id>/preferences", preferences.Preferences.as_view()),
    path("recipients/<path:external_id>/devices", devices.Devices.as_view()),
    path("recipients/<path:external_id>/devices/<uuid:device_id>", devices.DeviceOne.as_view()),
    path("recipients/<path:external_id>", recipients.RecipientOne.as_view()),
]
