"""ArgumentValues: what an input of an op is given, made of what steps gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from deltaworks.engine.definitions.frames import FrameType
from deltaworks.engine.definitions.ops.op import Op
from deltaworks.engine.definitions.ops.sources import Constant
from deltaworks.engine.planning.step_agenda import Argument, GivenValue, Listed


def value_of(argument: Argument, given: Callable[[GivenValue], Any], frame: FrameType | None = None) -> Any:
    """Return what an input is given.

    Args:
        argument: what it is made of.
        given: returns what a step gave.
        frame: the input's, if it is one: its value is as lazy or as eager as it asks for.
    """
    match argument:
        case Constant(value):
            found: Any = value
        case Listed(items):
            return [value_of(item, given) for item in items]
        case GivenValue():
            found = given(argument)
    if frame is None or not isinstance(found, pl.LazyFrame | pl.DataFrame):
        return found
    return found.lazy() if frame.is_lazy else found.lazy().collect()


def with_values(
    given: Mapping[str, Any], op: Op, arguments: Mapping[str, Argument], read: Callable[[GivenValue], Any]
) -> dict[str, Any]:
    """Return what an op's function is given, with the values of its inputs.

    Args:
        given: what it is given beside them.
        op: the op.
        arguments: what its inputs are made of, as far as it is there.
        read: returns what a step gave.
    """
    found = dict(given)
    for name, argument in arguments.items():
        port = op.inputs[name]
        if port.is_value:
            found[name] = value_of(argument, read, port.frame)
    for port in op.signature.inputs:
        if port.is_value and port.name not in found and not port.has_default:
            found[port.name] = None  # it may be missing, which its type allows
    return found
