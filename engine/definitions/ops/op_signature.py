"""OpSignature: what a function's annotations, and what its decorator adds to them, say about its op."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args

from deltaworks.engine.definitions.keys import as_key
from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.ops.attempt import Attempt
from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.ops.ports import (
    RESULT,
    DynamicOut,
    DynamicOutput,
    In,
    InPort,
    Nothing,
    Out,
    OutPort,
    Output,
)
from deltaworks.engine.definitions.ops.value_type import ValueType, origin_of, spelled
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.definitions.resources import Resource
from deltaworks.errors import InvalidDefinition

Outs = Out | DynamicOut | Mapping[str, Out | DynamicOut]

_INJECTED = (Partition, Logger, Attempt)


@dataclass(frozen=True, slots=True)
class OpSignature:
    """The parts of an op's function."""

    inputs: tuple[InPort, ...]
    """Arguments in their order, then what is only waited for."""
    outputs: tuple[OutPort, ...]
    resources: Mapping[str, type[Resource]]
    """By argument."""
    injected: Mapping[type, str]
    """The arguments that receive the partition, the logger and the attempt."""
    config: str | None
    """The argument that receives the config."""
    config_model: type[Config] | None

    @property
    def owners(self) -> dict[str, type]:
        """The classes of the project whose methods its function calls on its arguments, by argument."""
        config = {} if self.config is None or self.config_model is None else {self.config: self.config_model}
        return {**self.resources, **config}


def read_op_signature(
    function: Callable[..., Any], hints: Mapping[str, Any], ins: Mapping[str, In], out: Outs | None
) -> OpSignature:
    """Read what an op takes and gives.

    Raises:
        InvalidDefinition: the annotations and the decorator do not fit together.
    """
    inputs: list[InPort] = []
    resources: dict[str, type[Resource]] = {}
    injected: dict[type, str] = {}
    config: dict[str, type[Config]] = {}
    waiting = dict(ins)
    for argument, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise InvalidDefinition(f"argument {argument!r} must be a plain, named argument")
        annotation, beside = _split(hints.get(argument, Any))
        declared = waiting.pop(argument, beside)
        if inspect.isclass(annotation) and declared is None:
            kept = _keep(argument, annotation, resources, injected, config)
            if kept:
                continue
        has_default = parameter.default is not parameter.empty
        inputs.append(_input(argument, annotation, declared or In(), has_default=has_default))
    inputs += [_only_waited_for(name, declared) for name, declared in waiting.items()]
    if len(config) > 1:
        raise InvalidDefinition(f"arguments {' and '.join(map(repr, config))} are both config; one is enough")
    outputs = tuple(_outputs(function, hints.get("return", Any), out))
    return OpSignature(
        tuple(inputs), outputs, resources, injected, next(iter(config), None), next(iter(config.values()), None)
    )


def _keep(
    argument: str,
    annotation: type,
    resources: dict[str, type[Resource]],
    injected: dict[type, str],
    config: dict[str, type[Config]],
) -> bool:
    """Keep an argument that no other op fills in; return whether it is one."""
    if issubclass(annotation, Resource):
        resources[argument] = annotation
    elif issubclass(annotation, Config):
        config[argument] = annotation
    elif annotation in _INJECTED:
        if annotation in injected:
            both = f"arguments {injected[annotation]!r} and {argument!r}"
            raise InvalidDefinition(f"{both} are both a {annotation.__name__}; one is enough")
        injected[annotation] = argument
    else:
        return False
    return True


def _input(argument: str, annotation: ValueType, declared: In, *, has_default: bool) -> InPort:
    if declared.type is Nothing:
        raise InvalidDefinition(
            f"input {argument!r} is Nothing, which only says what comes before, but the function has an argument for it"
        )
    port = InPort(
        argument,
        annotation if declared.type is None else declared.type,
        has_default,
        None if declared.asset is None else as_key(declared.asset),
    )
    if port.asset is not None and port.frame is None:
        raise InvalidDefinition(
            f"argument {argument!r} reads asset {str(port.asset)!r}, so it is a frame: write LazyFrame[Model] or "
            f"DataFrame[Model], or without a contract pl.LazyFrame, not {spelled(port.type)}"
        )
    return port


def _only_waited_for(name: str, declared: In) -> InPort:
    if declared.type is not Nothing:
        raise InvalidDefinition(
            f"ins names {name!r}, but the function has no such argument; to wait for something, write In(Nothing)"
        )
    return InPort(name, Nothing)


def _split(annotation: ValueType) -> tuple[ValueType, In | None]:
    """Return the type in an annotation, and the `In` beside it."""
    if origin_of(annotation) is not Annotated:
        return annotation, None
    inner, *beside = get_args(annotation)
    return inner, next((each for each in beside if isinstance(each, In)), None)


def _outputs(function: Callable[..., Any], returns: ValueType, out: Outs | None) -> Iterator[OutPort]:
    returns, _ = _split(returns)
    named: Mapping[str, Out | DynamicOut] = out if isinstance(out, Mapping) else {RESULT: out or Out()}
    if not named:
        raise InvalidDefinition("out={} names no output; leave it out for an op that returns None")
    if len(named) == 1:
        ((name, only),) = named.items()
        is_dynamic = isinstance(only, DynamicOut)
        must_wrap = is_dynamic or inspect.isgeneratorfunction(function)
        yield _output(name, only, _element(returns, DynamicOutput if is_dynamic else Output, must_wrap=must_wrap))
        return
    types = dict.fromkeys(named, Any)
    if origin_of(returns) is tuple and Ellipsis not in get_args(returns):
        if len(get_args(returns)) != len(named):
            raise InvalidDefinition(
                f"it has {len(named)} outputs ({', '.join(named)}), but the return annotation is {spelled(returns)}, "
                f"{len(get_args(returns))}"
            )
        types = dict(zip(named, get_args(returns), strict=True))
    elif not inspect.isgeneratorfunction(function) and (
        returns is not Any and inspect.isclass(returns) and not issubclass(returns, tuple | list)
    ):
        raise InvalidDefinition(
            f"it has {len(named)} outputs ({', '.join(named)}), but the return annotation is {spelled(returns)}; "
            "return a tuple, or yield an Output for each"
        )
    for name, each in named.items():
        yield _output(name, each, types[name])


def _output(name: str, out: Out | DynamicOut, annotated: ValueType) -> OutPort:
    if not name.isidentifier():
        raise InvalidDefinition(f"output {name!r} is no name; use letters, digits and '_'")
    found = annotated if out.type is None else out.type
    if isinstance(out, DynamicOut):
        return OutPort(name, found, is_dynamic=True)
    return OutPort(name, found, out.is_required)


def _element(returns: ValueType, wrapper: type, *, must_wrap: bool) -> ValueType:
    """Return what is in the brackets of an `Output`, which may stand in those of an iterator or a list."""
    for layer in (returns, *get_args(returns)[:1]):
        if (origin_of(layer) or layer) is wrapper:
            return next(iter(get_args(layer)), Any)
    if must_wrap and returns is not Any and get_args(returns):
        raise InvalidDefinition(
            f"the return annotation is {spelled(returns)}, but it gives {wrapper.__name__}s: write "
            f"Iterator[{wrapper.__name__}[...]] and yield them"
        )
    return Any if must_wrap else returns
