"""Api docs: the OpenAPI document as a page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter, or a field of a body."""

    name: str
    where: str
    """path, query, header or body."""
    kind: str
    is_needed: bool
    told: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method of a path."""

    method: str
    path: str
    summary: str
    told: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class ApiView:
    """The endpoints, by tag."""

    groups: tuple[tuple[str, tuple[Endpoint, ...]], ...]


def api_view(document: Mapping[str, Any]) -> ApiView:
    """Return what an OpenAPI document says."""
    groups: dict[str, list[Endpoint]] = {}
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            groups.setdefault((told.get("tags") or ["other"])[0], []).append(
                Endpoint(
                    method.upper(),
                    path,
                    told.get("summary", ""),
                    told.get("description", ""),
                    tuple(_parameters(told, document)),
                )
            )
    return ApiView(tuple((tag, tuple(found)) for tag, found in groups.items()))


def _parameters(told: Mapping[str, Any], document: Mapping[str, Any]) -> list[Parameter]:
    found = [
        Parameter(
            each["name"], each["in"], _kind(each["schema"]), each.get("required", False), each.get("description", "")
        )
        for each in told.get("parameters", ())
    ]
    body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    schema = _resolved(body, document)
    needed = schema.get("required", ())
    found += [
        Parameter(name, "body", _kind(field), name in needed, field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
    ]
    return found


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"][name] if name else schema


def _kind(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kind = schema.get("type", "any")
    return f"{kind} of {_kind(schema['items'])}" if kind == "array" and "items" in schema else kind
