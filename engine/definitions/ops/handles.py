"""Handles: what stands in a graph for values that there are none of yet; they may only be handed on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import GenericAlias
from typing import Any, Final, NoReturn, TypeAlias, Union, cast

from deltaworks.engine.definitions.calling import calling_place
from deltaworks.engine.definitions.ops.sources import Collected, Constant, Fan, Source, Together
from deltaworks.engine.definitions.ops.value_type import ValueType
from deltaworks.errors import InvalidDefinition, Place

Fans: TypeAlias = tuple[Fan, ...]
"""Outermost first."""

FANS: Final = ContextVar[Fans | None]("deltaworks_fans", default=None)
"""What is called now belongs to these; none: no graph is being composed."""


@contextmanager
def below(fans: Fans) -> Generator[None]:
    """Let what is called meanwhile belong to fans."""
    token = FANS.set(fans)
    try:
        yield
    finally:
        FANS.reset(token)


class Handle:
    """What a step will give. It has no value while a graph is composed."""

    def __init__(self, source: Source, value_type: ValueType, fans: Fans, said: str) -> None:
        self.source, self.value_type, self.fans, self.said = source, value_type, fans, said

    def __bool__(self) -> bool:
        return _refuse(self.said, "decided on; let an op with optional outputs decide")

    def __eq__(self, other: object) -> bool:
        return _refuse(self.said, "compared; let an op with optional outputs decide")

    __hash__ = object.__hash__

    def __str__(self) -> str:
        return _refuse(self.said, "made a text; let an op do that")

    def __format__(self, form: str) -> str:
        return str(self)

    def __iter__(self) -> NoReturn:
        _refuse(self.said, "looped over; give the op a DynamicOut and use .map(...)")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        more = "; .map and .collect are for the outputs of a DynamicOut" if name in ("map", "collect") else ""
        _refuse(self.said, f"looked into (.{name}); let an op do that{more}")

    def __repr__(self) -> str:
        return f"<{self.said}>"


class Fanned:
    """What the steps of a fan will give, one for each mapping key."""

    def __init__(self, each: Handle) -> None:
        self.each = each

    def map(self, function: Callable[[Any], Any]) -> Any:
        """Do something for each key: an op, a graph, or a function that calls them with what it is given.

        Returns what the function returns, for all keys: to be mapped further or collected.

        Raises:
            InvalidDefinition: there is no graph being composed.
        """
        fans = FANS.get()
        if fans is None:
            raise InvalidDefinition(f"{self!r} can be mapped only in a graph", where=calling_place())
        with below(self.each.fans):
            found = function(self.each)
        return _each(found, lambda handle: wrapped(_put_below(handle, self.each.fans), fans))

    def collect(self) -> Any:
        """Return all of them as a list, in the order of the keys; what was skipped is not in it."""
        each, fan = self.each, self.each.fans[-1]
        listed = each.value_type if each.value_type is Any else GenericAlias(list, (each.value_type,))
        handle = Handle(Collected(each.source, fan), listed, each.fans[:-1], f"all of {each.said}")
        return wrapped(handle, FANS.get() or ())

    def __bool__(self) -> bool:
        return _refuse(self._said, "decided on; .collect() it, and let an op with optional outputs decide")

    def __eq__(self, other: object) -> bool:
        return _refuse(self._said, "compared; use .map(...)")

    __hash__ = object.__hash__

    def __str__(self) -> str:
        return _refuse(self._said, "made a text; use .map(...)")

    def __format__(self, form: str) -> str:
        return str(self)

    def __iter__(self) -> NoReturn:
        raise InvalidDefinition(
            f"{self!r}: how many there are is known when the job runs; use .map(...) instead of a loop",
            where=calling_place(),
        )

    def __repr__(self) -> str:
        return f"<{self._said}>"

    @property
    def _said(self) -> str:
        return f"{self.each.said}, for each key"


def _refuse(said: str, what: str) -> NoReturn:
    raise InvalidDefinition(
        f"{said} has no value while the graph is composed, so it cannot be {what}", where=calling_place()
    )


def wrapped(handle: Handle, fans: Fans) -> Handle | Fanned:
    """Return a handle as it is seen inside fans: what belongs to more of them stands for many."""
    return Fanned(handle) if len(handle.fans) > len(fans) else handle


def _put_below(handle: Handle, fans: Fans) -> Handle:
    """Return a handle as one that belongs to fans, also where its value is the same for all of their keys."""
    return handle if len(handle.fans) >= len(fans) else Handle(handle.source, handle.value_type, fans, handle.said)


def _each(found: Any, wrap: Callable[[Handle], Any]) -> Any:
    """Wrap every handle in what a mapped function returned."""
    match found:
        case Handle():
            return wrap(found)
        case Fanned():
            return wrap(found.each)
        case tuple():
            return attribute_of(found, "_make", tuple)([_each(item, wrap) for item in items_of(found)])
        case _:
            return found


def items_of(collection: Any) -> list[Any]:
    """Return what is in a collection, of whatever type."""
    return list(collection)


def attribute_of(of: Any, name: str, otherwise: Any) -> Any:
    """Return what named tuples have and others have not."""
    return getattr(of, name, otherwise)


def handles_in(value: Any) -> list[Handle]:
    """Return the handles that an input is given: one, or those in a list."""
    if isinstance(value, Handle):
        return [value]
    items = cast("Sequence[Any]", value) if isinstance(value, list | tuple) else ()
    return [item for item in items if isinstance(item, Handle)]


def _hidden(value: object) -> Iterator[Handle | Fanned]:
    """Yield the handles that stand somewhere in a collection."""
    match value:
        case Handle() | Fanned():
            yield value
        case Mapping():
            pairs = cast("Mapping[object, object]", value)
            for each in (*pairs, *pairs.values()):
                yield from _hidden(each)
        case list() | tuple() | set() | frozenset():
            for each in cast("Iterable[object]", value):
                yield from _hidden(each)
        case _:
            return


def handle_of(value: Any, whose: str, where: Place | None) -> Handle | Constant:
    """Return what is given to an input as one handle; a list of handles as that of their list."""
    if isinstance(value, Handle):
        return value
    if isinstance(value, Fanned):
        raise InvalidDefinition(
            f"{whose} is given {value.each.said}, of which there is one for each key; use .map(...) or .collect()",
            where=where,
        )
    items = cast("Sequence[Any]", value) if isinstance(value, list | tuple) else ()
    handles = handles_in(value)
    fanned = next((item for item in items if isinstance(item, Fanned)), None)
    if fanned is not None:
        raise InvalidDefinition(f"{whose} is given {fanned!r} in a list; .collect() it first", where=where)
    if not handles:
        whole = cast("object", value)
        hidden = next(_hidden(whole), None)
        if hidden is not None:
            raise InvalidDefinition(
                f"{whose} is given {hidden!r} inside of a {type(whole).__name__}, where it has no value; give it as an "
                "input of its own, or in a list of outputs",
                where=where,
            )
        return Constant(whole)
    if len(handles) < len(items):
        raise InvalidDefinition(f"{whose} is given a list of which some are values and some are not", where=where)
    types = [handle.value_type for handle in handles]
    listed = Any if Any in types else GenericAlias(list, (Union[tuple(types)],))  # noqa: UP007 - computed
    fans = max((handle.fans for handle in handles), key=len)
    said = " and ".join(handle.said for handle in handles)
    return Handle(Together(tuple(handle.source for handle in handles)), listed, fans, f"a list of {said}")
