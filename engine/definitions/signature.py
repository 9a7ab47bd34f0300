"""Signature: what a function's annotations say about its asset.

Arguments are told apart by their type: a frame is an upstream asset, `Partition`, `Logger` and subclasses of `Resource`
and `Config` are injected. Everything else is refused, since nobody could fill it in.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeGuard, get_args, get_origin, get_type_hints

from deltaworks.engine.definitions.frames import FrameType, read_frame_type
from deltaworks.engine.definitions.keys import AssetKey, KeyLike, as_key
from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.mappings.declared import KeyFunction, PartitionMapping, TimeWindowMapping, as_mapping
from deltaworks.engine.definitions.materialize_result import read_returned_type
from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.definitions.shared_call import Wanted
from deltaworks.engine.definitions.staged_files import Staging
from deltaworks.errors import InvalidDefinition, Place

_INJECTED = (Partition, Logger, Wanted, Staging)
_CONFIGURED = ("asset", "multi_asset")
_PREVIOUS = "Previous, the asset's own preceding partition"


@dataclass(frozen=True, slots=True)
class Input:
    """How an argument reads its upstream: `Annotated[LazyFrame[Model], Input(mapping=...)]`."""

    mapping: PartitionMapping | KeyFunction | None = None
    """Which upstream partitions are read; none: inferred from the two definitions.

    A function takes a key and returns the upstream keys that the partition is made from. It is called for every key
    whenever a project is loaded, so it must be quick and depend on nothing but the key.
    """
    asset: KeyLike | None = None
    """The upstream's key; none: the argument's name."""
    allow_missing: bool = False
    """Whether a partition is made from those upstream partitions that there are, be they none.

    Those that the same run makes are waited for; one that fails is taken as it was before the run.
    """


@dataclass(frozen=True, slots=True)
class Upstream:
    """An argument that is another asset's table."""

    argument: str
    key: AssetKey
    frame: FrameType
    mapping: PartitionMapping | None
    allow_missing: bool = False
    """Whether upstream partitions may be missing."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The parts of an asset's function."""

    upstreams: tuple[Upstream, ...]
    resources: Mapping[str, type[Resource]] = field(default_factory=dict[str, type[Resource]])
    """By argument name."""
    partition: str | None = None
    """The argument that receives the `Partition`."""
    logger: str | None = None
    """The argument that receives the `Logger`."""
    config: str | None = None
    """The argument that receives the config."""
    config_model: type[Config] | None = None
    staging: str | None = None
    """The argument that is told where another engine may write what the function returns."""
    wanted: str | None = None
    """The argument that is told which outputs a call is to make."""
    returns: FrameType = field(default=FrameType(None, is_lazy=True))

    @property
    def owners(self) -> dict[str, type]:
        """The classes of the project whose methods its function calls on its arguments, by argument."""
        config = {} if self.config is None or self.config_model is None else {self.config: self.config_model}
        return {**self.resources, **config}


def read_signature(
    function: Callable[..., Any],
    name: str,
    local_names: Mapping[str, Any],
    what: str = "asset",
    returns: FrameType | None = None,
    judged: AssetKey | None = None,
) -> Signature:
    """Read a function's annotations.

    Args:
        function: the function.
        name: the key of what it defines.
        local_names: those of the scope that defines the function: models and types may be local to it.
        what: what it defines, for messages.
        returns: the rows of its table, where the function returns something else.
        judged: the asset whose rows it judges, if it is an asset check.

    Raises:
        InvalidDefinition: an argument or the return value has no annotation, or one that means nothing here.
    """
    try:
        signature = _read(function, read_hints(function, local_names), name, returns, judged)
        if signature.config is not None and what not in _CONFIGURED:
            raise InvalidDefinition(f"argument {signature.config!r} is a Config, which only assets and ops are given")
        if signature.wanted is not None and what != "multi_asset":
            raise InvalidDefinition(f"argument {signature.wanted!r} is Wanted, which only a multi_asset is given")
        _refuse_strange_staging(signature, what)
        return signature
    except InvalidDefinition as error:
        raise InvalidDefinition(f"{what} {name!r}: {error.reason}", where=place_of(function), asset=name) from error


def _refuse_strange_staging(signature: Signature, what: str) -> None:
    """Make sure that files which another engine writes have a place, and the place a use."""
    if signature.staging is not None and what != "asset":
        raise InvalidDefinition(f"argument {signature.staging!r} is a Staging, which only assets are given")
    if signature.returns.is_staged and signature.staging is None:
        raise InvalidDefinition("it returns StagedFiles, so it needs an argument `staging: Staging`: where they lie")
    if signature.staging is not None and not signature.returns.is_staged:
        raise InvalidDefinition(f"argument {signature.staging!r} is a Staging, so it must return StagedFiles[Model]")


def place_of(function: Callable[..., Any]) -> Place:
    """Return where a function is defined: its file and first line, decorators included."""
    code = inspect.unwrap(function).__code__
    return Place(code.co_filename, code.co_firstlineno)


def read_hints(function: Callable[..., Any], local_names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the annotations of a function, resolved, with what stands beside the types.

    Raises:
        InvalidDefinition: one of them cannot be read.
    """
    try:
        return get_type_hints(function, localns=dict(local_names), include_extras=True)
    except NameError as error:
        raise InvalidDefinition(f"an annotation uses {error.name!r}, which is not defined") from error
    except (AttributeError, TypeError, SyntaxError) as error:
        raise InvalidDefinition(f"an annotation cannot be read: {error}") from error


def _read(
    function: Callable[..., Any],
    hints: Mapping[str, Any],
    name: str,
    returns: FrameType | None,
    judged: AssetKey | None,
) -> Signature:
    upstreams: list[Upstream] = []
    resources: dict[str, type[Resource]] = {}
    config: dict[str, type[Config]] = {}
    injected: dict[type, str] = {}
    for argument, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise InvalidDefinition(f"argument {argument!r} must be a plain, named argument")
        if argument not in hints:
            raise InvalidDefinition(
                f"argument {argument!r} has no annotation; write LazyFrame[Model] for an upstream asset, or Partition, "
                "Logger or a Resource"
            )
        annotation, declared = _split(argument, hints[argument])
        frame = _frame(f"argument {argument!r}", annotation)
        if frame is not None:
            upstreams.append(_upstream(argument, frame, declared or Input(), name, judged))
        elif declared is not None:
            raise InvalidDefinition(
                f"argument {argument!r} has an Input, but is {_one(annotation)}; only frames are read from an "
                "upstream asset"
            )
        elif annotation in _INJECTED:
            if annotation in injected:
                both = f"arguments {injected[annotation]!r} and {argument!r}"
                raise InvalidDefinition(f"{both} are both a {annotation.__name__}; one is enough")
            injected[annotation] = argument
        elif _is_resource(annotation):
            resources[argument] = annotation
        elif _is_config(annotation):
            config[argument] = annotation
        else:
            raise InvalidDefinition(
                f"argument {argument!r} is {_one(annotation)}; it must be LazyFrame[Model] or DataFrame[Model] "
                "for an upstream asset, or Partition, Logger or a subclass of Resource or Config"
            )
    if len(config) > 1:
        raise InvalidDefinition(f"arguments {' and '.join(map(repr, config))} are both config; one is enough")
    rows = returns or _returns(hints)
    return Signature(
        upstreams=tuple(upstreams),
        resources=resources,
        partition=injected.get(Partition),
        logger=injected.get(Logger),
        config=next(iter(config), None),
        config_model=next(iter(config.values()), None),
        staging=injected.get(Staging),
        wanted=injected.get(Wanted),
        returns=rows,
    )


def _upstream(argument: str, frame: FrameType, declared: Input, name: str, judged: AssetKey | None) -> Upstream:
    if frame.is_previous or frame.is_committed:
        if frame.is_committed and judged is None:
            raise InvalidDefinition(
                f"argument {argument!r} is Committed, which only asset checks are given; an asset reads its own "
                "preceding partition by Previous[Model]"
            )
        if declared.asset is not None or declared.mapping is not None:
            named = "Committed, the partition's own content" if frame.is_committed else _PREVIOUS
            raise InvalidDefinition(
                f"argument {argument!r} is {named}, so its Input has neither asset nor mapping; for others write "
                "LazyFrame[Model]"
            )
        own = None if frame.is_committed else TimeWindowMapping(-1, -1)
        return Upstream(argument, judged or as_key(name), frame, own, declared.allow_missing)
    try:
        key = as_key(argument if declared.asset is None else declared.asset)
        mapping = None if declared.mapping is None else as_mapping(declared.mapping)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"argument {argument!r}: {error.reason}") from error
    return Upstream(argument, key, frame, mapping, declared.allow_missing)


def _returns(hints: Mapping[str, Any]) -> FrameType:
    expected = "the return annotation must be LazyFrame[Model] or DataFrame[Model], or without a contract pl.LazyFrame"
    if "return" not in hints:
        raise InvalidDefinition(f"{expected}; there is none")
    annotation, _ = _split("return", hints["return"])
    try:
        frame = read_returned_type(annotation)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"the return annotation: {error.reason}") from error
    if frame is None:
        raise InvalidDefinition(f"{expected}, not {_spelled(annotation)}")
    return frame


def _frame(subject: str, annotation: object) -> FrameType | None:
    try:
        return read_frame_type(annotation)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"{subject}: {error.reason}") from error


def _split(argument: str, annotation: Any) -> tuple[Any, Input | None]:
    """Return the type in an annotation, and the `Input` beside it."""
    if get_origin(annotation) is not Annotated:
        return annotation, None
    inner, *extras = get_args(annotation)
    for extra in extras:
        if extra is Input or isinstance(extra, PartitionMapping):
            raise InvalidDefinition(f"argument {argument!r}: write Input(mapping=...) beside the frame, not {extra!r}")
        if isinstance(extra, Input):
            return inner, extra
    return inner, None


def _is_resource(annotation: object) -> TypeGuard[type[Resource]]:
    return isinstance(annotation, type) and issubclass(annotation, Resource)


def _is_config(annotation: object) -> TypeGuard[type[Config]]:
    return isinstance(annotation, type) and issubclass(annotation, Config)


def _one(annotation: object) -> str:
    spelled = _spelled(annotation)
    return f"{'an' if spelled[0] in 'aeiou' else 'a'} {spelled}"


def _spelled(annotation: object) -> str:
    if isinstance(annotation, type) and not get_args(annotation):
        return "None" if annotation is type(None) else annotation.__qualname__
    return str(annotation).replace("typing.", "")
