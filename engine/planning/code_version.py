"""Code version: the hash of what an asset's function does, not of how it is typed.

Two functions that differ in comments, docstrings, annotations, layout or the names of local variables have the same
version. What counts: the function's syntax tree and everything of the project that it reaches, its inputs and mappings,
its partitions and the dtypes of its columns. Where there is no source, bytecode stands in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.foreign import CodeParts
from deltaworks.engine.definitions.mappings.declared import PartitionMapping, functions_of
from deltaworks.engine.planning.opaque import described
from deltaworks.engine.planning.own import Own
from deltaworks.engine.planning.reach import Reach, Unseen, columns_of
from deltaworks.validation import declare

SCHEME = "1"
"""Names what the hash is made of; versions of different schemes are never the same."""

_RULES = re.compile(rf"^({SCHEME}:[0-9a-f]{{16}})\.[0-9a-f]{{8}}")
"""What comes before the hash of the rules; what an author sets instead of a hash has none."""
_VIEWS = re.compile(r"(?:\+[\w.\-/]+:[0-9a-f]{8})+$")
_VIEW = re.compile(r"\+([\w.\-/]+):([0-9a-f]{8})")


def code_version(asset: Asset[..., Any], mappings: Mapping[str, PartitionMapping]) -> str:
    """Return the code version of an asset, as `scheme:hash`; `override:...` where the author sets one.

    Rules that leave rows out have a hash of their own, after a dot.

    Args:
        asset: the asset.
        mappings: the mapping of each argument that is an upstream asset.
    """
    if asset.code_version is not None:
        return f"override:{asset.code_version}"
    if asset.foreign is not None and isinstance(asset.foreign.code, str):
        return asset.foreign.code
    parts = code_parts(asset) if asset.foreign is None else asset.foreign.code
    assert isinstance(parts, CodeParts), "what is no code version are its parts"
    columns = ", ".join(column.name for column in asset.partition_columns)
    found = [
        *parts.reach,
        *(f"input {each.argument} {each.key} {mappings[each.argument]!r}" for each in asset.signature.upstreams),
        f"partitions {asset.partitions.scheme} by {columns or None}",
        *_output(asset),
        *parts.columns,
    ]
    return f"{SCHEME}:{_digest(found)[:16]}" + (f".{_digest(parts.rules)[:8]}" if parts.rules else "")


def code_parts(asset: Asset[..., Any]) -> CodeParts:
    """Return what the code version of an asset is made of that only its code tells."""
    columns = () if asset.model is None else columns_of(asset.model)
    return CodeParts(tuple(_reach(asset).parts), tuple(f"column {text}" for text in columns), tuple(_rules(asset)))


def _output(asset: Asset[..., Any]) -> list[str]:
    """Return which output of its function an asset is, by name and, for a function that returns a tuple, by place."""
    if asset.shared is None:
        return []
    return [f"output {list(asset.shared.keys.values()).index(asset.key)} {asset.shared.output_of(asset.key)}"]


def differ_by_rules_only(a: str | None, b: str | None) -> bool:
    """Tell whether two code versions make the same rows, before their rules leave any out."""
    return a is not None and b is not None and _without_rules(a) == _without_rules(b)


def _without_rules(code: str) -> str:
    return _RULES.sub(r"\1", code)


def with_views(code: str, views: Mapping[str, str]) -> str:
    """Return a code version with those of all views that the asset reads, by key: `1:ab12...+late_flights:cd34...`."""
    tags = (f"+{key}:{hashlib.sha256(each.encode()).hexdigest()[:8]}" for key, each in sorted(views.items()))
    return code + "".join(tags)


def differences(then: str, now: str) -> tuple[bool, tuple[str, ...]]:
    """Tell whether two code versions of an asset differ in its own code, and in which views."""
    own_then, own_now = (_VIEWS.sub("", each) for each in (then, now))
    views_then, views_now = (_VIEW.findall(each[len(own) :]) for each, own in ((then, own_then), (now, own_now)))
    return own_then != own_now, tuple(sorted({key for key, _ in set(views_then) ^ set(views_now)}))


def unseen_values(asset: Asset[..., Any]) -> tuple[Unseen, ...]:
    """Return the values that an asset's code reads and whose changes its code version may not see."""
    is_hashed = asset.kind.is_made and asset.code_version is None
    return tuple(_reach(asset).unseen) if is_hashed else ()


def _rules(asset: Asset[..., Any]) -> list[str]:
    """Return what the rules are that leave rows out, with the author's functions that they may call."""
    if asset.model is None:
        return []
    declared = declare(asset.model)
    rules = [f"rule {rule}" for rule in declared.taking_out()]
    if not rules:
        return []
    found = Reach(_own(asset))
    for function in declared.check_functions():
        found.follow(function, {})
    return [*rules, *found.parts]


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _own(asset: Asset[..., Any]) -> Own:
    return Own((asset.function.__module__ or "").partition(".")[0])


def _reach(asset: Asset[..., Any]) -> Reach:
    found = Reach(_own(asset))
    found.follow(asset.authored, asset.signature.owners)
    for upstream in asset.signature.upstreams:
        for function in functions_of(upstream.mapping):
            found.follow(function, {})
    computed = [column.expression for column in asset.partition_columns if column.expression is not None]
    if computed and not found.follow_argument(asset.authored, "partition_by"):
        found.parts += [described(expression, lambda _: None)[0] for expression in computed]
    return found
