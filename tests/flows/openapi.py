"""Every operation of the site's OpenAPI document, with ids in its address and a sample body."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any
from urllib.parse import quote

from tests.flows.http import Caller

METHODS = ("get", "put", "post", "patch", "delete")
_PARAMETER = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    body: Any = None

    @property
    def parameters(self) -> list[str]:
        return _PARAMETER.findall(self.path)

    def addresses(self, ids: Mapping[str, Sequence[str]]) -> Iterator[str]:
        """The path with every combination of these ids."""
        for values in product(*(ids[name] for name in self.parameters)):
            filled = dict(zip(self.parameters, values, strict=True))
            yield _PARAMETER.sub(lambda match: quote(filled[match[1]], safe=""), self.path)  # noqa: B023

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


def operations(caller: Caller) -> list[Operation]:
    """All operations, reads first and deletions last."""
    document = caller.request_json("GET", "/v1/openapi.json")
    operations = [
        Operation(method, path, _body(document, operation))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]
    return sorted(operations, key=lambda operation: METHODS.index(operation.method))


def parameter_of(path: str) -> str:
    """The name of the id parameter in addresses below a list: /v1/campaigns -> campaign_id."""
    return f"{path.rpartition('/')[2].removesuffix('s').replace('-', '_')}_id"


def _body(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {})
    return sample(document, content["application/json"]["schema"]) if "application/json" in content else None


def sample(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """A minimal value that fits the schema: required members only, the first of several choices."""
    if "$ref" in schema:
        return sample(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if choices := [*schema.get("allOf", ()), *schema.get("oneOf", ()), *schema.get("anyOf", ())]:
        return sample(document, choices[0])
    if "enum" in schema:
        return schema["enum"][0]
    kinds = schema.get("type", "object")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "object":
        members = schema.get("properties", {})
        return {name: sample(document, members[name]) for name in schema.get("required", ()) if name in members}
    return {"string": "made-up", "integer": 1, "number": 1, "boolean": True, "array": []}[kind]
