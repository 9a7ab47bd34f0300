"""Code version: the hash of what an asset's function does, not of how it is typed.

Two functions that differ in comments, docstrings, annotations or layout have the same version. What counts: the
function's syntax tree and everything of the project that it reaches, its inputs and mappings, its partitions and the
dtypes of its columns. Where there is no source, bytecode stands in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.mappings import PartitionMapping, functions_of
from deltaworks.engine.definitions.signature import Upstream
from deltaworks.engine.planning.reach import reach
from deltaworks.validation import declare

SCHEME = "1"
"""Names what the hash is made of; versions of different schemes are never the same."""


def code_version(asset: Asset[..., Any], mappings: Mapping[str, PartitionMapping]) -> str:
    """Return the code version of an asset, as `scheme:hash`; `override:...` where the author sets one.

    Args:
        asset: the asset.
        mappings: the mapping of each argument that is an upstream asset.
    """
    if asset.code_version is not None:
        return f"override:{asset.code_version}"
    parts = [
        *reach(asset.function, asset.signature.resources).parts,
        *(part for upstream in asset.signature.upstreams for part in _input(upstream, mappings[upstream.argument])),
        f"partitions {asset.partitions.scheme} by {', '.join(map(str, asset.partition_columns)) or None}",
        *_columns(asset.model),
    ]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{SCHEME}:{digest[:16]}"


def unseen_values(asset: Asset[..., Any]) -> tuple[str, ...]:
    """Return the names of the values that an asset's function reads and whose changes its code version may not see."""
    if asset.code_version is not None:
        return ()
    mapped_by = [function for upstream in asset.signature.upstreams for function in functions_of(upstream.mapping)]
    found = [reach(asset.function, asset.signature.resources), *(reach(function, {}) for function in mapped_by)]
    return tuple(dict.fromkeys(name for each in found for name in each.unseen))


def _input(upstream: Upstream, mapping: PartitionMapping) -> Iterator[str]:
    yield f"input {upstream.argument} {upstream.key} {mapping!r}"
    for function in functions_of(mapping):
        yield from reach(function, {}).parts


def _columns(model: type | None) -> Iterator[str]:
    if model is None:
        return
    declared = declare(model)
    for column in sorted((*declared.columns, *declared.pattern_columns), key=lambda column: column.name):
        cast = " cast" if column.coerce or declared.coerce else ""
        yield f"column {column.name} {column.dtype}{cast}"
