"""Requests at random, as the description of the API says they may be, and as it says that they may not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from tests.web.client import Answer, Client

NASTY = (
    *("", " ", "\0", "..", "../../etc/passwd", "%2F", "a/b", "*", "+", "not", "status:stale", "2024-01-03"),
    *("\N{DUCK}", "\N{ARABIC-INDIC DIGIT THREE}", "-1", "1e999"),
)
"""Texts that are special somewhere."""

Known = dict[str, list[str]]
Texts = st.SearchStrategy[str]

LAUNCHING = (":retry", ":evaluate", "/runs", "/backfills")
"""How the paths end whose requests start processes, if they make sense."""


@dataclass(frozen=True)
class Operation:
    """A method of a path, with what it takes."""

    method: str
    path: str
    told: dict[str, Any]
    schemas: dict[str, Any]

    @property
    def starts_processes(self) -> bool:
        return self.method == "POST" and self.path.endswith(LAUNCHING)

    def requests(self, known: Known) -> st.SearchStrategy[Callable[[Client], Answer]]:
        """Requests of it; names of its parameters and fields have values that exist, unless they start anything."""
        text = st.sampled_from(NASTY) | st.text(max_size=20)
        texts = {} if self.starts_processes else known
        odd = text.map("x{}".format) if self.starts_processes else text
        parameters = self.told.get("parameters", [])
        values = {
            (each["in"], each["name"]): _values(each["schema"], each["name"], self.schemas, texts, odd)
            for each in parameters
        }
        needed = {(each["in"], each["name"]) for each in parameters if each.get("required")}
        body = self.told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        bodies = st.none() if body is None else _values(body, "", self.schemas, texts, odd)
        chosen = st.fixed_dictionaries(
            {each: found for each, found in values.items() if each in needed},
            optional={each: found for each, found in values.items() if each not in needed},
        )
        return st.builds(lambda given, content: lambda client: self._send(client, given, content), chosen, bodies)

    def _send(self, client: Client, given: dict[tuple[str, str], Any], content: Any) -> Answer:
        path, query, headers = self.path, list[tuple[str, str]](), dict[str, str]()
        for (place, name), value in given.items():
            for each in value if isinstance(value, list) else [value]:
                shown = each if isinstance(each, str) else json.dumps(each)
                if place == "path":
                    path = path.replace(f"{{{name}}}", quote(shown, safe="") or "%20")
                elif place == "query":
                    query.append((name, shown))
                elif shown.isascii() and shown.isprintable() and "event-stream" not in shown:
                    headers[name.lower()] = shown
        address = f"{path}?{urlencode(query)}" if query else path
        if self.method == "GET":
            return client.send("GET", address, b"", headers)
        body = json.dumps(self._harmless(content or {})).encode()
        return client.send(self.method, address, body, {"content-type": "application/json", **headers})

    def _harmless(self, content: Any) -> Any:
        """Return it so that it does not ask for every asset, which is what selecting none does."""
        if self.path == "/api/v1/backfills" and isinstance(content, dict) and not content.get("select"):
            return {**content, "select": ["xnone"]}
        return content


def operations(document: dict[str, Any]) -> list[Operation]:
    """Every operation that a description names."""
    schemas = document["components"]["schemas"]
    return [
        Operation(method.upper(), path, told, schemas)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]


def _values(
    schema: dict[str, Any],
    name: str,
    schemas: dict[str, Any],
    known: Known,
    text: Texts,
) -> st.SearchStrategy[Any]:
    """What fits a schema, and now and then something else."""
    return st.one_of(_fitting(schema, name, schemas, known, text), _fitting(schema, name, schemas, known, text), _ANY)


def _fitting(
    schema: dict[str, Any],
    name: str,
    schemas: dict[str, Any],
    known: Known,
    text: Texts,
) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _fitting(schemas[schema["$ref"].rpartition("/")[2]], name, schemas, known, text)
    if "anyOf" in schema:
        return st.one_of([_fitting(each, name, schemas, known, text) for each in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "string":
            return st.sampled_from(known[name]) | text if name in known else text
        case "integer":
            return st.integers(-2, 600) | st.sampled_from([2**31, 2**63, 10**30])
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "array":
            return st.lists(_fitting(schema["items"], name, schemas, known, text), max_size=3)
        case "object" if "properties" in schema:
            fields = {field: _values(told, field, schemas, known, text) for field, told in schema["properties"].items()}
            needed = set(schema.get("required", ()))
            return st.fixed_dictionaries(
                {field: found for field, found in fields.items() if field in needed},
                optional={field: found for field, found in fields.items() if field not in needed},
            )
        case _:
            return _ANY


_ANY: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
