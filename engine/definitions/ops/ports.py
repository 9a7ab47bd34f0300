"""Ports: what goes into an op and what comes out of it, as its author declares it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, TypeVar

from deltaworks.engine.definitions.frames import FrameType, read_frame_type
from deltaworks.engine.definitions.keys import AssetKey, KeyLike
from deltaworks.engine.definitions.ops.value_type import ValueType
from deltaworks.errors import InvalidDefinition

T = TypeVar("T")

RESULT = "result"
"""The name of the output of an op that has one."""

_KEY = re.compile(r"[A-Za-z0-9_.\-]{1,100}")


class Nothing:
    """The type of an input or an output that carries no value: it only says what comes after what."""


@dataclass(frozen=True, slots=True)
class In:
    """How an op takes an input: `Annotated[pl.LazyFrame, In(asset="flights")]`; `@op(ins={"after": In(Nothing)})`."""

    type: ValueType = None
    """What goes in, where no argument's annotation says it; `Nothing`: no value, so there is no such argument."""
    asset: KeyLike | None = None
    """The table that is read, at the version that it has when the run starts; none: the graph says where it is from."""


@dataclass(frozen=True, slots=True)
class Out:
    """One output of an op."""

    type: ValueType = None
    """What comes out; none: what the return annotation says."""
    is_required: bool = True
    """Whether there always is one. Of an optional one that is not there, the readers are skipped."""


@dataclass(frozen=True, slots=True)
class DynamicOut:
    """An output of as many values as the op finds, each with a key of its own."""

    type: ValueType = None
    """What each of them is; none: what the return annotation says."""


@dataclass(frozen=True, slots=True)
class Output(Generic[T]):
    """A value for one of several outputs, or for an optional one."""

    value: T
    output_name: str = RESULT


@dataclass(frozen=True, slots=True)
class DynamicOutput(Generic[T]):
    """One of the values of a dynamic output.

    Raises:
        InvalidDefinition: the key cannot stand in the address of a step.
    """

    value: T
    mapping_key: str
    """Tells it from the others of the output; the same on a retry."""
    output_name: str = RESULT

    def __post_init__(self) -> None:
        """Refuse keys that could not be told apart from the rest of an address."""
        if not isinstance(self.mapping_key, str) or not _KEY.fullmatch(self.mapping_key):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidDefinition(
                f"mapping_key {self.mapping_key!r} must be 1 to 100 letters, digits, '_', '-' and '.'"
            )


@dataclass(frozen=True, slots=True)
class InPort:
    """An input as an op has it."""

    name: str
    type: ValueType
    has_default: bool = False
    asset: AssetKey | None = None
    """The table that it reads."""

    @property
    def is_value(self) -> bool:
        """Whether the function has an argument for it."""
        return self.type is not Nothing

    @property
    def frame(self) -> FrameType | None:
        """What kind of frame it is; none: it is no frame."""
        return read_frame_type(self.type)


@dataclass(frozen=True, slots=True)
class OutPort:
    """An output as an op has it."""

    name: str
    type: ValueType
    """Of a dynamic output, that of each value."""
    is_required: bool = True
    is_dynamic: bool = False
