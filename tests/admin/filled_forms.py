"""The fields that a browser sends for a recipient and for a template, and the errors of a form."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tenants.models import (
    User,
)
from tests.admin.conftest import Browser, Site

LogIn = Callable[[User], Browser]
NO_INLINES = {
    f"{prefix}-{name}": "0" for prefix in ("devices", "preference") for name in ("TOTAL_FORMS", "INITIAL_FORMS")
}


def person(site: Site, **values: Any) -> dict[str, Any]:
    base = {"tenant": str(site.people.acme.pk), "external_id": "new", "status": "active", "attributes": "{}"}
    return {**base, **NO_INLINES, **values}


def errors(answer: Any) -> dict[str, list[str]]:
    form_errors: dict[str, list[str]] = answer.context["adminform"].form.errors
    return form_errors


def template(site: Site, content: Any, key: str = "hello") -> dict[str, Any]:
    counts = {"versions-TOTAL_FORMS": "0", "versions-INITIAL_FORMS": "0"}
    return {"tenant": str(site.people.acme.pk), "key": key, "name": "", "content": json.dumps(content), **counts}
