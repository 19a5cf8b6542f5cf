"""Importing a CSV file into ACME, and reading what was stored."""

from __future__ import annotations

import io

from tenants.imports import ImportResult, import_recipients
from tenants.models import Recipient
from tests.fixtures import People


def put(people: People, file: str | bytes) -> ImportResult:
    return import_recipients(people.acme.pk, io.BytesIO(file if isinstance(file, bytes) else file.encode()))


def stored(people: People) -> dict[str, Recipient]:
    return {r.external_id: r for r in Recipient.objects.filter(tenant=people.acme)}


def problems(result: ImportResult) -> list[tuple[int, str]]:
    return [(p.line, p.reason) for p in result.problems]


ANNE = "external_id,name,email\na1,Anne,anne@example.com\n"
