"""OpCall: call an op's function, and make sure that what it returns is what the op promises."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard, cast

import polars as pl

from deltaworks.engine.definitions.frames import read_frame_type
from deltaworks.engine.definitions.ops.op import Op
from deltaworks.engine.definitions.ops.ports import DynamicOutput, OutPort, Output
from deltaworks.engine.definitions.ops.value_type import is_of, spelled
from deltaworks.engine.definitions.policies import error_names
from deltaworks.engine.execution.given import describe
from deltaworks.validation import compile_contract, conform


@dataclass(frozen=True, slots=True)
class Returned:
    """What an op gave."""

    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """By output."""
    fans: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """By dynamic output and mapping key."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an op gave nothing."""

    reason: str
    may_pass_later: bool
    """Whether the function raised, so that the same call may succeed another time."""
    error_names: tuple[str, ...] = ()
    """By which names retry policies know what it raised; see `error_names`."""


def call_op(op: Op, arguments: Mapping[str, Any]) -> Returned | Refused:
    """Call an op's function and look at what it returns."""
    try:
        result: object = op.function(**arguments)
        if inspect.isgenerator(result):
            result = list[object](result)
    except Exception as error:  # noqa: BLE001 - whatever user code raises is how its step ended
        return Refused(describe(error, op.where.file), may_pass_later=True, error_names=error_names(error))
    except SystemExit as error:
        return Refused(f"the function called sys.exit({error.code!r})", may_pass_later=False)
    try:
        return _returned(op, result)
    except _Misreturned as problem:
        return Refused(f"{problem} ({op.where})", may_pass_later=False)


class _Misreturned(Exception):
    """What an op returned is not what it promises; it never leaves this module."""


def _returned(op: Op, result: object) -> Returned:
    values: dict[str, Any] = {}
    fans: dict[str, dict[str, Any]] = {name: {} for name, port in op.outputs.items() if port.is_dynamic}
    for each in _outputs(op, result):
        port = op.outputs.get(each.output_name)
        if port is None:
            raise _Misreturned(f"it gave an output {each.output_name!r}, but its outputs are {', '.join(op.outputs)}")
        if isinstance(each, DynamicOutput) is not port.is_dynamic:
            wanted = "DynamicOutput" if port.is_dynamic else "Output"
            raise _Misreturned(f"it gave an {type(each).__name__} for {port.name!r}, expected {wanted}")
        value = _checked(port, each.value)
        if isinstance(each, DynamicOutput):
            if each.mapping_key in fans[port.name]:
                raise _Misreturned(f"it gave two values with mapping_key {each.mapping_key!r} for {port.name!r}")
            fans[port.name][each.mapping_key] = value
        elif port.name in values:
            raise _Misreturned(f"it gave output {port.name!r} twice")
        else:
            values[port.name] = value
    missing = [port.name for port in op.signature.outputs if port.is_required and port.name not in {*values, *fans}]
    if missing:
        raise _Misreturned(f"it gave no {' and no '.join(map(repr, missing))}; only Out(is_required=False) may lack")
    return Returned(values, fans)


def _outputs(op: Op, result: object) -> Sequence[Output[Any] | DynamicOutput[Any]]:
    """Return what came back, each value with the output that it is for."""
    ports = op.signature.outputs
    if isinstance(result, Output | DynamicOutput):
        return _listed([result])
    if inspect.isgeneratorfunction(op.function) or _are_outputs(result) or _is_nothing_of_many(result, ports[0]):
        items = cast("Sequence[object]", result)
        wrong = next((item for item in items if not isinstance(item, Output | DynamicOutput)), None)
        if wrong is not None:
            raise _Misreturned(f"it yielded {_shown(wrong)}, expected an Output or a DynamicOutput")
        return _listed(items)
    if len(ports) == 1:
        if ports[0].is_dynamic:
            raise _Misreturned(f"it returned {_shown(result)}, expected DynamicOutputs")
        return [] if result is None and not ports[0].is_required else [Output(result, ports[0].name)]
    if not isinstance(result, tuple) or len(cast("tuple[object, ...]", result)) != len(ports):
        names = ", ".join(op.outputs)
        raise _Misreturned(f"it returned {_shown(result)}, expected a tuple of its {len(ports)} outputs ({names})")
    given = zip(ports, cast("tuple[object, ...]", result), strict=True)
    return [Output(value, port.name) for port, value in given if port.is_required or value is not None]


def _listed(items: Any) -> Sequence[Output[Any] | DynamicOutput[Any]]:
    return list(items)


def _is_nothing_of_many(result: object, port: OutPort) -> bool:
    return isinstance(result, list) and not result and port.is_dynamic


def _are_outputs(result: object) -> TypeGuard[Sequence[object]]:
    if not isinstance(result, list | tuple):
        return False
    items = cast("Sequence[object]", result)
    return bool(items) and all(isinstance(item, Output | DynamicOutput) for item in items)


def _checked(port: OutPort, value: Any) -> Any:
    """Return a value as its readers get it; the columns of a frame are held to its model, its rows are not."""
    if not is_of(value, port.type):
        raise _Misreturned(f"it gave {_shown(value)} as {port.name!r}, expected {spelled(port.type)}")
    frame = read_frame_type(port.type)
    if frame is None or frame.model is None:
        return value
    try:
        lf = conform(frame.model, value.lazy())
        schema = lf.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _Misreturned(f"the columns of {port.name!r} cannot be told: {error}") from error
    problems = "; ".join(problem.message for problem in compile_contract(frame.model, schema).problems)
    if problems:
        raise _Misreturned(f"{port.name!r} does not have the columns of model {frame.model.__name__}: {problems}")
    return lf if frame.is_lazy else lf.collect()


def _shown(value: Any) -> str:
    if value is None:
        return "None"
    kind = type(value).__name__
    return f"{kind} of {len(cast('Sequence[object]', value))}" if isinstance(value, tuple | list) else kind
