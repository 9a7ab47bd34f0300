"""Loading: what the process of a code location does to tell what it defines."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.workspace.loading import load_modules
from deltaworks.engine.workspace.locations.description import (
    Description,
    describe,
    key_functions,
    upstreams_within,
)
from deltaworks.engine.workspace.locations.inside import Inside
from deltaworks.engine.workspace.locations.traces import tracing
from deltaworks.errors import InvalidDefinition, RequestError


def describe_location(inside: Inside, told: Mapping[str, Any], _tell: object) -> Description:
    """Import a location's modules and tell what they define.

    Raises:
        DefinitionError: its code is wrong.
    """
    inside.name, inside.environment = told["name"], told["environment"]
    inside.modules, inside.folder = told["modules"], Path(told["folder"])
    before = set(sys.modules)
    with tracing() as traces:
        definitions = load_modules(inside.modules, inside.folder)
    if not definitions.assets and not definitions.jobs:
        raise InvalidDefinition(f"{', '.join(told['modules'])} define no assets; an asset is a function under @asset")
    if inside.environment is not None:
        definitions = inside.environment.applied_to(definitions)
    definitions.refuse_missing_resources()
    inside.definitions = definitions
    within = upstreams_within(definitions)
    alone = Definitions(
        (asset for asset in definitions.assets if asset.key in within),
        definitions.resources,
        (check for check in definitions.checks if check.asset in within),
    )
    # Without the lake's dynamic keys: they change neither a code version nor what the location tells.
    graph = build_graph(alone, dt.datetime.now(dt.UTC))
    return describe(
        inside.name,
        definitions,
        graph,
        sorted(traces.files(before)),
        sorted(traces.folders(of_code=False)),
        sorted(traces.folders(of_code=True)),
    )


def map_key(inside: Inside, told: Mapping[str, Any], _tell: object) -> tuple[str, ...]:
    """Ask a function which upstream keys a partition is made from.

    Raises:
        RequestError: there is no such function any more.
    """
    functions = dict(key_functions(inside.definitions))
    if told["address"] not in functions:
        raise RequestError(f"Location {inside.name!r} has no mapping function {told['address']!r} any more.")
    return tuple(functions[told["address"]].function(told["key"]))
