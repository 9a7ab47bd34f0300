"""SharedCall: a function whose one call makes several tables, and what it returns of each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from deltaworks.engine.definitions.keys import AssetKey


class Wanted(frozenset[str]):
    """The outputs that a call is to make, by name: what the argument of this type of a `multi_asset` is given."""


@dataclass(frozen=True, eq=False)
class SharedCall:
    """A function with several outputs, each of which is a table."""

    name: str
    """What its config stands under."""
    function: Callable[..., Any]
    keys: Mapping[str, AssetKey]
    """The table of each output, in their order."""
    wanted: str | None = None
    """The argument that is told which outputs are wanted; none: a call always makes all of them."""

    def output_of(self, key: AssetKey) -> str:
        """Return the output that is a table."""
        return next(name for name, each in self.keys.items() if each == key)

    def outputs(self, arguments: Mapping[str, Any], wanted: Collection[str]) -> Mapping[str, Any]:
        """Call the function and return what it returns of each output.

        Raises:
            TypeError: that is no output by name and no tuple of all of them. Whatever else the function raises.
        """
        told = {} if self.wanted is None else {self.wanted: Wanted(wanted)}
        return self._named(self.function(**arguments, **told))

    def only(self, output: str) -> Callable[..., Any]:
        """Return a function that makes one output as if it were all."""

        @functools.wraps(self.function)
        def make(**arguments: Any) -> Any:
            return self.picked(self.outputs(arguments, (output,)), output)

        return make

    def picked(self, outputs: Mapping[str, Any], output: str) -> Any:
        """Return one output of a call.

        Raises:
            TypeError: it is not there.
        """
        if outputs.get(output) is None:
            raise TypeError(f"{self.function.__name__} returned nothing for output {output!r}, which was wanted")
        return outputs[output]

    def _named(self, returned: Any) -> Mapping[str, Any]:
        names, what = tuple(self.keys), type(returned).__name__
        found = _by_name(returned)
        if found is not None:
            strange = next((name for name in found if name not in self.keys), None)
            if strange is not None:
                raise TypeError(
                    f"{self.function.__name__} returned an output {strange!r}, but its outputs are {', '.join(names)}"
                )
            return found
        if _is_tuple(returned) and len(returned) == len(names):
            return dict(zip(names, returned, strict=True))
        raise TypeError(
            f"{self.function.__name__} returned {what}, expected a mapping of outputs, or a tuple of all of them "
            f"({', '.join(names)})"
        )


def _by_name(returned: Any) -> Mapping[str, Any] | None:
    """Return what stands in a mapping or a named tuple; none: it is neither."""
    if _is_tuple(returned):
        fields: tuple[str, ...] = getattr(returned, "_fields", ())
        return dict(zip(fields, returned, strict=True)) if fields else None
    return dict(returned) if _is_mapping(returned) else None


def _is_tuple(returned: Any) -> TypeGuard[tuple[Any, ...]]:
    return isinstance(returned, tuple)


def _is_mapping(returned: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(returned, Mapping)
