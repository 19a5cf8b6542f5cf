"""The languages that a recipient's browser asks for, for the pages of recipients."""

from __future__ import annotations

from django.http import HttpRequest


def accepted_languages(request: HttpRequest) -> list[str]:
    """The languages that the browser asks for, in its order."""
    header = request.headers.get("Accept-Language", "")[:200]
    return [part.partition(";")[0].strip() for part in header.split(",")]
