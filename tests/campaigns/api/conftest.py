"""A tenant's server that asks for campaigns and audiences, as the web role."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import orjson
import pytest
from django.db import transaction
from django.test import Client

from tests.campaigns.conftest import Site

AsWeb = Callable[[], AbstractContextManager[None]]


class Api:
    """A tenant's server. Each request is one transaction of the web role, as in a web process."""

    def __init__(self, key: str, as_web: AsWeb) -> None:
        self._client = Client(headers={"authorization": f"Bearer {key}"})
        self._as_web = as_web

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        content = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        kind = headers.pop("content_type", "application/json")
        with self._as_web(), transaction.atomic():
            answer = self._client.generic(method, path, content, content_type=kind, headers=headers)
        return answer.status_code, answer.json() if answer.content else None


@pytest.fixture
def api(site: Site, as_web: AsWeb) -> Api:
    return Api(site.people.acme_key, as_web)


@pytest.fixture
def stranger(site: Site, as_web: AsWeb) -> Api:
    return Api(site.people.globex_key, as_web)


def campaign_fields(site: Site, **fields: Any) -> dict[str, Any]:
    given = {"name": "Spring", "template": "spring", "audience": str(site.everybody.pk), "data": {"what": "Spring"}}
    return {**given, **fields}
