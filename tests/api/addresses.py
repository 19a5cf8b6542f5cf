"""The addresses of the API and the methods that they have."""

from __future__ import annotations

#: every address and method that takes a body
WITH_A_BODY = [
    ("POST", "/v1/notifications"),
    ("POST", "/v1/notifications/bulk"),
    ("POST", "/v1/events"),
    ("PUT", "/v1/templates/shipped"),
    ("PUT", "/v1/layouts/plain"),
    ("PUT", "/v1/recipients/dora"),
    ("PUT", "/v1/recipients/dora/preferences"),
    ("POST", "/v1/recipients/dora/devices"),
    ("POST", "/v1/categories"),
    ("PUT", "/v1/categories/news/digest"),
]

#: those of them that take attachments, and so larger bodies
WITH_FILES = [("POST", "/v1/notifications"), ("PUT", "/v1/templates/shipped")]

ENDPOINTS = [
    *WITH_A_BODY,
    ("GET", "/v1/notifications"),
    ("GET", "/v1/notifications/01890000-0000-7000-8000-000000000000"),
    ("GET", "/v1/notifications/01890000-0000-7000-8000-000000000000/explain"),
    ("GET", "/v1/recipients/dora/explain"),
    ("GET", "/v1/templates"),
    ("GET", "/v1/push/webpush-key"),
    ("GET", "/v1/layouts"),
    ("GET", "/v1/layouts/plain"),
    ("DELETE", "/v1/layouts/plain"),
    ("GET", "/v1/templates/shipped"),
    ("GET", "/v1/recipients"),
    ("GET", "/v1/recipients/dora"),
    ("GET", "/v1/recipients/dora/preferences"),
    ("GET", "/v1/recipients/dora/devices"),
    ("DELETE", "/v1/recipients/dora/devices/01890000-0000-7000-8000-000000000000"),
    ("GET", "/v1/categories"),
    ("GET", "/v1/categories/news/digest"),
    ("DELETE", "/v1/categories/news/digest"),
]
