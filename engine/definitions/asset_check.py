"""AssetCheck: a function that judges what runs make of an asset, partition by partition.

Its arguments are read as those of an asset's function are. Two of them are its own: the result that it judges, and
`Committed`, what the partition holds until then.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, TypeAlias, get_type_hints

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.check_result import CheckResult
from deltaworks.engine.definitions.frames import FrameType
from deltaworks.engine.definitions.keys import AssetKey, CheckKey, KeyLike, as_key, name_problem
from deltaworks.engine.definitions.mappings.declared import TimeWindowMapping
from deltaworks.engine.definitions.registry import note_check
from deltaworks.engine.definitions.signature import Signature, Upstream, place_of, read_signature
from deltaworks.errors import InvalidDefinition, Place
from deltaworks.io.partition_statistics import PartitionStatistics

RESULT = "result"
"""The argument that is the judged result, whatever its model."""
TRAILING = "trailing"
"""What stands for the partitions before the judged one, where their statistics are compared."""

CheckFunction: TypeAlias = Callable[..., CheckResult | bool]
Comparison: TypeAlias = Callable[[PartitionStatistics, Sequence[PartitionStatistics]], CheckResult]
"""Compares a partition's statistics with those of earlier ones, the latest last."""


class When(StrEnum):
    """When a check is run."""

    BEFORE = "before"
    """On the staged result: if it fails and is blocking, nothing is committed."""
    AFTER = "after"
    """Once the commit is visible: it is only told."""


@dataclass(frozen=True, eq=False)
class AssetCheck:
    """A check and the asset that it judges; calling it calls the function, with frames of one's own."""

    asset: AssetKey
    name: str
    """Unique among the checks of the asset."""
    function: CheckFunction
    signature: Signature
    """The result and `Committed` are upstreams too, whose key is the asset's. None of them must be there."""
    result: str | None
    """The argument that is the judged result."""
    where: Place
    module: str
    """The module that defines it."""
    blocking: bool
    when: When
    description: str
    comparison: Comparison | None = None
    """What is called instead of the function, with statistics of the log instead of rows."""
    is_built_in: bool = False
    """Whether the function is the engine's."""

    @property
    def key(self) -> CheckKey:
        """The name of the check with that of its asset."""
        return CheckKey(f"{self.asset}:{self.name}")

    def __call__(self, *args: Any, **kwargs: Any) -> CheckResult | bool:
        """Call the function itself; nothing is read or recorded."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<asset check {self.key} at {self.where}>"


def asset_check(
    asset: Asset[..., Any] | KeyLike,
    *,
    name: str | None = None,
    blocking: bool = False,
    when: Literal["before", "after"] = "before",
) -> Callable[[CheckFunction], AssetCheck]:
    """Define a check of what runs make of an asset.

    The function is called for each partition and returns a `CheckResult` or a Boolean. A frame named `result`, or like
    the asset, or with the asset's model, is what it judges; `Committed[Model]` is what the partition holds until then;
    `Previous[Model]` is the preceding partition; other frames are other assets, by name. `Partition`, `Logger` and
    resources are injected by type. The docstring describes the check.

    Args:
        asset: whose partitions it judges.
        name: what it is called; none: the function's name.
        blocking: whether a partition that does not pass is not committed; else that is a warning.
        when: `before`, on the staged result, or `after`, once the commit is visible.

    Raises:
        DefinitionError: the definition does not make sense; the message has file and line.
    """
    here = inspect.currentframe()
    caller = here.f_back if here is not None else None
    scope: Mapping[str, Any] = caller.f_locals if caller is not None else {}

    def define(function: CheckFunction) -> AssetCheck:
        if not inspect.isfunction(function):
            raise InvalidDefinition(f"asset_check decorates a function, not {function!r}")
        where = place_of(function)
        judged = read_judged(asset, where)
        called = function.__name__ if name is None else name
        key = checked_key(judged, called, where)
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise _refusal(key, "the function must return a CheckResult, so it is neither async nor a generator", where)
        returns = FrameType(None, is_lazy=True)
        signature = read_signature(function, str(key), scope, "asset check", returns, judged)
        model = asset.model if isinstance(asset, Asset) else None
        result = _result_of(signature, judged, model)
        check = AssetCheck(
            asset=judged,
            name=called,
            function=function,
            signature=_judging(signature, judged, result),
            result=result,
            where=where,
            module=function.__module__,
            blocking=blocking,
            when=read_when(when, key, where, blocking=blocking),
            description=inspect.getdoc(function) or "",
        )
        problem = _problem(check) or _return_problem(function, scope)
        if problem:
            raise _refusal(key, problem, where)
        note_check(check)
        return check

    return define


def read_judged(asset: object, where: Place) -> AssetKey:
    """Return the key of the asset that a check is defined for.

    Raises:
        InvalidDefinition: it is neither an asset nor a key.
    """
    if isinstance(asset, Asset):
        return asset.key
    if not isinstance(asset, str | AssetKey):
        raise InvalidDefinition(f"asset check: asset must be an asset or its key, not {asset!r}", where=where)
    try:
        return as_key(asset)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"asset check: {error.reason}", where=where) from error


def checked_key(asset: AssetKey, name: object, where: Place) -> CheckKey:
    """Return the key of a check.

    Raises:
        InvalidDefinition: it cannot be called so.
    """
    problem = name_problem(name)
    if problem:
        raise InvalidDefinition(f"asset check of {str(asset)!r}: {problem}", where=where, asset=str(asset))
    return CheckKey(f"{asset}:{name}")


def read_when(when: str, key: CheckKey, where: Place, *, blocking: bool) -> When:
    """Return when a check is run.

    Raises:
        InvalidDefinition: at no such time, or too late to keep anything from being committed.
    """
    if when not in list(When):
        raise _refusal(key, f"when must be 'before' or 'after', not {when!r}", where)
    if blocking and when == When.AFTER:
        raise _refusal(
            key,
            "blocking=True needs when='before': once the commit is visible, nothing can be kept from it; leave one of "
            "them out",
            where,
        )
    return When(when)


def _refusal(key: CheckKey, problem: str, where: Place) -> InvalidDefinition:
    return InvalidDefinition(f"asset check {str(key)!r}: {problem}", where=where, asset=str(key).partition(":")[0])


def _result_of(signature: Signature, asset: AssetKey, model: type | None) -> str | None:
    """Return the argument that is the judged result: by its name, else by that of the asset, else by its model."""
    plain = [
        upstream
        for upstream in signature.upstreams
        if not upstream.frame.is_previous and not upstream.frame.is_committed
    ]
    unmapped = [each for each in plain if each.mapping is None and str(each.key) == each.argument]
    tests: tuple[Callable[[Upstream], bool], ...] = (
        lambda each: each.argument == RESULT,
        lambda each: each.key == asset,
        lambda each: model is not None and each.frame.model is model,
    )
    return next((each.argument for is_it in tests for each in unmapped if is_it(each)), None)


def _judging(signature: Signature, asset: AssetKey, result: str | None) -> Signature:
    """Return a signature whose result is the asset's, and that needs nothing to be there."""
    upstreams = (
        replace(each, key=asset if each.argument == result else each.key, allow_missing=True)
        for each in signature.upstreams
    )
    return replace(signature, upstreams=tuple(upstreams))


def _problem(check: AssetCheck) -> str | None:
    committed = [each.argument for each in check.signature.upstreams if each.frame.is_committed]
    if check.when is When.AFTER and committed:
        return (
            f"argument {committed[0]!r} is Committed, but when='after' the commit has replaced that; its content is "
            "the result"
        )
    for each in check.signature.upstreams:
        is_plain = each.argument != check.result and not each.frame.is_committed
        if each.key == check.asset and is_plain and not _reads_earlier(each):
            return (
                f"argument {each.argument!r} reads the asset itself; name the argument {RESULT!r} to judge what was "
                "made, or read earlier partitions by Previous[Model] or a TimeWindowMapping whose end_offset is below 0"
            )
    if not any(each.key == check.asset for each in check.signature.upstreams):
        return f"it does not look at the asset; give it an argument {RESULT!r} that is a LazyFrame[Model]"
    return None


def _reads_earlier(upstream: Upstream) -> bool:
    return isinstance(upstream.mapping, TimeWindowMapping) and upstream.mapping.end_offset < 0


def _return_problem(function: CheckFunction, scope: Mapping[str, Any]) -> str | None:
    hints = get_type_hints(function, localns=dict(scope))
    if "return" not in hints:
        return "the return annotation must be CheckResult or bool; there is none"
    if hints["return"] not in (CheckResult, bool, CheckResult | bool):
        return f"the return annotation must be CheckResult or bool, not {hints['return']!r}"
    return None


@dataclass(frozen=True)
class Site:
    """Where a built-in check is defined."""

    where: Place
    module: str

    @classmethod
    def of_caller(cls, depth: int = 2) -> Site:
        """Return the line that calls the function that asks, or one further out."""
        caller = inspect.stack(context=0)[depth]
        return cls(Place(caller.filename, caller.lineno), str(caller.frame.f_globals.get("__name__", "")))


def built_in(
    asset: Asset[..., Any] | KeyLike,
    name: str,
    site: Site,
    function: CheckFunction,
    upstreams: Sequence[Upstream] = (),
    *,
    blocking: bool,
    description: str,
    comparison: Comparison | None = None,
    trailing: int = 0,
    partition: str | None = None,
) -> AssetCheck:
    """Define a check whose function is the engine's.

    Args:
        asset: whose partitions it judges.
        name: what it is called.
        site: where the author asks for it.
        function: what judges frames.
        upstreams: what it reads beside the result, which it is given if it is to judge frames.
        blocking: whether a partition that does not pass is not committed.
        description: what it claims.
        comparison: what judges statistics instead.
        trailing: how many earlier partitions' statistics it is given.
        partition: the argument that receives the `Partition`, if any.

    Raises:
        InvalidDefinition: it cannot be called so, or there is no such asset.
    """
    judged = read_judged(asset, site.where)
    key = checked_key(judged, name, site.where)
    frame = FrameType(None, is_lazy=True)
    if comparison is None:
        reads = (Upstream(RESULT, judged, frame, None, allow_missing=True), *upstreams)
    else:
        reads = (Upstream(TRAILING, judged, frame, TimeWindowMapping(-trailing, -1), allow_missing=True),)
    check = AssetCheck(
        asset=judged,
        name=name,
        function=function,
        signature=Signature(reads, partition=partition),
        result=RESULT if comparison is None else None,
        where=site.where,
        module=site.module,
        blocking=blocking,
        when=read_when("before", key, site.where, blocking=blocking),
        description=description,
        comparison=comparison,
        is_built_in=True,
    )
    note_check(check)
    return check
