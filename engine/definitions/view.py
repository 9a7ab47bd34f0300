"""View: a typed function over assets whose result is not stored: whoever reads it calls it, lazily.

To everything that decides, it is not there: an asset that reads a view is made from the tables that the view reads, and
the view's code is part of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, TypeVar, overload

from deltaworks.engine.definitions.asset import Asset, AssetKind, complete, named, read_columns, refuse_no_function
from deltaworks.engine.definitions.keys import KeyLike
from deltaworks.engine.definitions.partitions.partition_columns import PartitionBy
from deltaworks.engine.definitions.partitions.protocols import Partitions, Unpartitioned
from deltaworks.engine.definitions.policies import BackfillPolicy
from deltaworks.engine.definitions.signature import Signature, place_of, read_signature
from deltaworks.errors import InvalidDefinition
from deltaworks.validation import declare

P = ParamSpec("P")
R = TypeVar("R")


@overload
def view(function: Callable[P, R], /) -> Asset[P, R]: ...


@overload
def view(
    *,
    name: KeyLike | None = None,
    partitions: Partitions | None = None,
    partition_by: PartitionBy | None = None,
    group: str = "default",
    owners: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    code_version: str | None = None,
) -> Callable[[Callable[P, R]], Asset[P, R]]: ...


def view(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: KeyLike | None = None,
    partitions: Partitions | None = None,
    partition_by: PartitionBy | None = None,
    group: str = "default",
    owners: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    code_version: str | None = None,
) -> Asset[P, R] | Callable[[Callable[P, R]], Asset[P, R]]:
    """Define a view by a function over assets, which is called whenever an asset reads the view.

    Arguments that are frames are upstream assets or other views, by name; `Logger` and resources are injected by type.

    For several partitions the function is called once, on all that they are made from, so it must be right for every
    partition on the union. Where an upstream partition goes into several of the view's, the result is cut to those that
    are read, by the view's partition columns. The columns of the result are checked against its model whenever it is
    read; its rows are not, as nothing is stored: the rules of a reader's model hold for what the reader makes of them.

    Args:
        function: what `@view` without parentheses decorates.
        name: the key by which assets read it; none: the function's name.
        partitions: how the rows are cut; none: as those upstreams are that have partitions, if all have the same.
        partition_by: as for an asset; only together with partitions.
        group: a word to select it by.
        owners: people or teams.
        tags: words to select it by.
        code_version: what stands for the function's code instead of its hash.

    Raises:
        DefinitionError: the definition does not make sense; the message has file and line.
    """
    here = inspect.currentframe()
    caller = here.f_back if here is not None else None
    scope = caller.f_locals if caller is not None else {}

    def define(function: Callable[P, R]) -> Asset[P, R]:
        refuse_no_function(function, AssetKind.VIEW)
        where = place_of(function)
        key = named(function.__name__ if name is None else name, where)
        signature = read_signature(function, str(key), scope, AssetKind.VIEW)
        problem = _problem(signature)
        if problem:
            raise InvalidDefinition(f"view {str(key)!r}: {problem}", where=where, asset=str(key))
        defined: Asset[P, R] = Asset(
            key=key,
            function=function,
            signature=signature,
            where=where,
            partitions=Unpartitioned() if partitions is None else partitions,
            partition_columns=read_columns(AssetKind.VIEW, partition_by, partitions, key, where),
            backfill=BackfillPolicy(),
            retry=None,
            description=inspect.getdoc(function) or "",
            group=group,
            owners=tuple(owners),
            tags=dict(tags or {}),
            code_version=code_version,
            kind=AssetKind.VIEW,
        )
        return complete(defined)

    return define if function is None else define(function)


def _problem(signature: Signature) -> str | None:
    previous = next((each.argument for each in signature.upstreams if each.frame.is_previous), None)
    if previous is not None:
        return f"argument {previous!r} is Previous, but a view is not stored, so it has no partition before this one"
    if signature.partition is not None:
        return (
            f"argument {signature.partition!r} is a Partition, but a view is called for whatever its readers ask for; "
            "the result is cut to their partitions"
        )
    if not signature.upstreams:
        return "it reads no asset, so nothing would tell when its rows change; let an asset make them"
    if signature.returns.has_metadata:
        return "it returns a MaterializeResult, but a view is not stored, so there is no record for the metadata"
    model = signature.returns.model
    rule = None if model is None else next(declare(model).taking_out(), None)
    if rule is not None:
        return f"its rows are not checked, as nothing is stored, so no rule can leave any out ({rule}); filter them"
    return None
