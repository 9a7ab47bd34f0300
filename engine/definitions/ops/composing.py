"""Composing: what a graph's function does while it is called once, at load, to find out what it puts together.

There are no values yet. Calling an op or a graph gives handles of what it will give; they may only be handed on. What
is called inside `.map(...)` belongs to the fan and is done for each of its keys.
"""

from __future__ import annotations

from collections import defaultdict, namedtuple
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import GenericAlias
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, Union, cast

from deltaworks.engine.definitions.calling import calling_place
from deltaworks.engine.definitions.ops.ports import InPort, OutPort
from deltaworks.engine.definitions.ops.sources import (
    Collected,
    Constant,
    Fan,
    FromInput,
    FromOutput,
    Source,
    Together,
    lifted,
)
from deltaworks.engine.definitions.ops.value_type import ValueType, is_of, misfit, spelled, takes_none
from deltaworks.errors import InvalidDefinition, Place, did_you_mean

if TYPE_CHECKING:
    from deltaworks.engine.definitions.ops.graph import Graph
    from deltaworks.engine.definitions.ops.op import Op

Fans: TypeAlias = tuple[Fan, ...]
"""Outermost first."""

_composer: ContextVar[Composer | None] = ContextVar("deltaworks_composer", default=None)


@dataclass(frozen=True, slots=True)
class Use:
    """An input of an op that an input of its graph goes to."""

    port: InPort
    whose: str


@dataclass(frozen=True, slots=True)
class Invocation:
    """An op or a graph as it stands in a graph."""

    name: str
    of: Op | Graph
    inputs: Mapping[str, Source]
    """What is not here has a default, or is an asset."""
    fans: Fans
    where: Place | None


class Handle:
    """What a step will give. It has no value while a graph is composed."""

    def __init__(self, source: Source, value_type: ValueType, fans: Fans, said: str) -> None:
        self.source, self.value_type, self.fans, self.said = source, value_type, fans, said

    def __bool__(self) -> bool:
        return self._refuse("decided on; let an op with optional outputs decide")

    def __iter__(self) -> NoReturn:
        self._refuse("looped over; give the op a DynamicOut and use .map(...)")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        more = "; .map and .collect are for the outputs of a DynamicOut" if name in ("map", "collect") else ""
        self._refuse(f"looked into (.{name}); let an op do that{more}")

    def __repr__(self) -> str:
        return f"<{self.said}>"

    def _refuse(self, what: str) -> NoReturn:
        raise InvalidDefinition(
            f"{self.said} has no value while the graph is composed, so it cannot be {what}", where=calling_place()
        )


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
        composer = current()
        if composer is None:
            raise InvalidDefinition(f"{self!r} can be mapped only in a graph", where=calling_place())
        with composer.inside(self.each.fans):
            found = function(self.each)
        return _each(found, lambda handle: _wrapped(_put_below(handle, self.each.fans), composer.fans))

    def collect(self) -> Any:
        """Return all of them as a list, in the order of the keys; what was skipped is not in it."""
        composer = current()
        each, fan = self.each, self.each.fans[-1]
        listed = each.value_type if each.value_type is Any else GenericAlias(list, (each.value_type,))
        handle = Handle(Collected(each.source, fan), listed, each.fans[:-1], f"all of {each.said}")
        return _wrapped(handle, () if composer is None else composer.fans)

    def __iter__(self) -> NoReturn:
        raise InvalidDefinition(
            f"{self!r}: how many there are is known when the job runs; use .map(...) instead of a loop",
            where=calling_place(),
        )

    def __repr__(self) -> str:
        return f"<{self.each.said}, for each key>"


class Composer:
    """The graph that is being composed."""

    def __init__(self, graph: str) -> None:
        self.graph = graph
        self.invocations: dict[str, Invocation] = {}
        self.uses: dict[str, list[Use]] = {}
        """By input of the graph."""
        self.fans: Fans = ()
        """What is called now belongs to these."""
        self._numbers: defaultdict[str, int] = defaultdict(lambda: 1)
        """By name: the number that the latest of its invocations got."""

    @contextmanager
    def inside(self, fans: Fans) -> Generator[None]:
        """Let what is called meanwhile belong to fans."""
        before, self.fans = self.fans, fans
        try:
            yield
        finally:
            self.fans = before

    def add_op(self, op: Op, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Put an op into the graph and return what it gives.

        Raises:
            InvalidDefinition: what it is given does not fit its inputs.
        """
        where = calling_place()
        ports = [port for port in op.signature.inputs if port.asset is None]
        given = self._bind(f"op {op.name!r}", ports, args, kwargs, where)
        inputs = {port.name: self._connect(op, port, given[port.name], where) for port in ports if port.name in given}
        name, fans = self._place(op, given.values(), where)
        self.invocations[name] = Invocation(name, op, inputs, fans, where)
        return self._results(op.name, {port.name: _output_handle(name, port, fans) for port in op.signature.outputs})

    def add_graph(self, graph: Graph, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Put a graph into the graph and return what it gives.

        Raises:
            InvalidDefinition: what it is given does not fit its inputs.
        """
        where = calling_place()
        given = self._bind(f"graph {graph.name!r}", graph.inputs, args, kwargs, where)
        inputs: dict[str, Source] = {name: Constant(value) for name, value in graph.defaults.items()}
        for port in graph.inputs:
            if port.name in given:
                uses = (*graph.uses.get(port.name, ()), Use(port, f"graph {graph.name!r}"))
                inputs[port.name] = self._fit_all(uses, given[port.name], where)
        name, fans = self._place(graph, given.values(), where)
        self.invocations[name] = Invocation(name, graph, inputs, fans, where)
        handles: dict[str, Handle] = {}
        for output, inner in graph.outputs.items():
            below = tuple(fan.below(name) for fan in inner.fans)
            source = lifted(inner.source, name, inputs)
            handles[output] = Handle(source, inner.value_type, (*fans, *below), f"output of graph {name!r}")
        return self._results(graph.name, handles)

    def _results(self, name: str, handles: Mapping[str, Handle]) -> Any:
        shown = {output: _wrapped(handle, self.fans) for output, handle in handles.items()}
        if len(shown) == 1:
            return next(iter(shown.values()))
        make: Any = namedtuple  # whose fields are known only now
        return make(f"outputs_of_{name}", shown)(**shown) if shown else None

    def _bind(
        self, whose: str, ports: Sequence[InPort], args: Sequence[Any], kwargs: Mapping[str, Any], where: Place | None
    ) -> dict[str, Any]:
        names = [port.name for port in ports]
        if len(args) > len(names):
            taken = ", ".join(names) or "none"
            raise InvalidDefinition(f"{whose} has {len(names)} inputs ({taken}), but is given {len(args)}", where=where)
        given = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name not in names:
                hint = did_you_mean(name, names, otherwise=f" It has {', '.join(names) or 'none'}.")
                raise InvalidDefinition(f"{whose} has no input {name!r}.{hint}", where=where)
            if name in given:
                raise InvalidDefinition(f"{whose} is given input {name!r} twice", where=where)
            given[name] = value
        missing = next((port for port in ports if port.name not in given and _is_needed(port)), None)
        if missing is not None:
            raise InvalidDefinition(f"{whose} needs input {missing.name!r} ({spelled(missing.type)})", where=where)
        return given

    def _connect(self, op: Op, port: InPort, value: Any, where: Place | None) -> Source:
        source = self._fit_all((Use(port, f"op {op.name!r}"),), value, where)
        may_lack = op.run_when != "all_success" and port.is_value and isinstance(source, FromOutput | FromInput)
        if may_lack and not port.has_default and not takes_none(port.type):
            raise InvalidDefinition(
                f"op {op.name!r} runs when {op.run_when}, so there may be no {port.name!r}: give it a default, or let "
                "it be None",
                where=where,
            )
        return source

    def _fit_all(self, uses: Sequence[Use], value: Any, where: Place | None) -> Source:
        """Return where inputs come from that are all given the same, if it fits each."""
        source = next(iter([self._fit(use.port, use.whose, value, where) for use in uses]))
        if isinstance(source, FromInput):
            self.uses.setdefault(source.name, []).extend(uses)
        return source

    def _fit(self, port: InPort, whose: str, value: Any, where: Place | None) -> Source:
        """Return where an input comes from, if what is given fits it."""
        handle = _handle_of(value, f"{whose}, input {port.name!r}", where)
        if isinstance(handle, Constant):
            if port.is_value and not is_of(handle.value, port.type):
                raise InvalidDefinition(
                    f"{whose} takes {spelled(port.type)} as {port.name!r}, not {handle.value!r}", where=where
                )
            return handle
        wrong = misfit(handle.value_type, port.type) if port.is_value else None
        if wrong:
            raise InvalidDefinition(
                f"{whose} takes {spelled(port.type)} as {port.name!r}, but {handle.said} is "
                f"{spelled(handle.value_type)}: {wrong}",
                where=where,
            )
        return handle.source

    def _place(self, of: Op | Graph, given: Iterable[Any], where: Place | None) -> tuple[str, Fans]:
        """Return the name that something gets in the graph, and the fans that it is below."""
        fans = self.fans
        for handle in (each for value in given for each in _handles_in(value)):
            longer, shorter = (handle.fans, fans) if len(handle.fans) > len(fans) else (fans, handle.fans)
            if longer[: len(shorter)] != shorter:
                raise InvalidDefinition(
                    f"{of.name!r} reads {handle.said}, which belongs to another fan-out; collect one of the two",
                    where=where,
                )
            fans = longer
        name = of.name
        while name in self.invocations:
            self._numbers[of.name] += 1
            name = f"{of.name}_{self._numbers[of.name]}"
        return name, fans


def current() -> Composer | None:
    """Return the graph that is being composed; none: no graph is."""
    return _composer.get()


@contextmanager
def composing(composer: Composer) -> Generator[None]:
    """Let calls of ops and graphs go into a graph."""
    token = _composer.set(composer)
    try:
        yield
    finally:
        _composer.reset(token)


def outputs_of(found: Any, whose: str, where: Place) -> dict[str, Handle]:
    """Return what a graph's function returned, by name.

    Raises:
        InvalidDefinition: it is something else than handles.
    """
    if found is None:
        return {}
    if isinstance(found, Mapping):
        named = cast("Mapping[str, Any]", found)
    elif isinstance(found, tuple):
        items = _items(found)
        names: Sequence[str] = _attribute(found, "_fields", [f"result_{place}" for place in range(len(items))])
        named = dict(zip(names, items, strict=True))
    else:
        named = {"result": found}
    outputs: dict[str, Handle] = {}
    for name, value in named.items():
        handle = value.each if isinstance(value, Fanned) else _handle_of(value, f"{whose}, output {name!r}", where)
        if isinstance(handle, Constant):
            raise InvalidDefinition(f"{whose} returns {value!r}; it must return what its ops give", where=where)
        outputs[name] = handle
    return outputs


def _is_needed(port: InPort) -> bool:
    return not port.has_default and port.asset is None


def _output_handle(name: str, port: OutPort, fans: Fans) -> Handle:
    source, said = FromOutput((name,), port.name), f"the output of {name!r}"
    if port.name != "result":
        said = f"output {port.name!r} of {name!r}"
    return Handle(source, port.type, (*fans, Fan((name,), port.name)) if port.is_dynamic else fans, said)


def _wrapped(handle: Handle, fans: Fans) -> Handle | Fanned:
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
            return _attribute(found, "_make", tuple)([_each(item, wrap) for item in _items(found)])
        case _:
            return found


def _items(collection: Any) -> list[Any]:
    return list(collection)


def _attribute(of: Any, name: str, otherwise: Any) -> Any:
    """Return what named tuples have and others have not."""
    return getattr(of, name, otherwise)


def _handles_in(value: Any) -> list[Handle]:
    if isinstance(value, Handle):
        return [value]
    items = cast("Sequence[Any]", value) if isinstance(value, list | tuple) else ()
    return [item for item in items if isinstance(item, Handle)]


def _handle_of(value: Any, whose: str, where: Place | None) -> Handle | Constant:
    """Return what is given to an input as one handle; a list of handles as that of their list."""
    if isinstance(value, Handle):
        return value
    if isinstance(value, Fanned):
        raise InvalidDefinition(
            f"{whose} is given {value.each.said}, of which there is one for each key; use .map(...) or .collect()",
            where=where,
        )
    items = cast("Sequence[Any]", value) if isinstance(value, list | tuple) else ()
    handles = _handles_in(value)
    fanned = next((item for item in items if isinstance(item, Fanned)), None)
    if fanned is not None:
        raise InvalidDefinition(f"{whose} is given {fanned!r} in a list; .collect() it first", where=where)
    if not handles:
        return Constant(cast("object", value))
    if len(handles) < len(items):
        raise InvalidDefinition(f"{whose} is given a list of which some are values and some are not", where=where)
    types = [handle.value_type for handle in handles]
    listed = Any if Any in types else GenericAlias(list, (Union[tuple(types)],))  # noqa: UP007 - computed
    fans = max((handle.fans for handle in handles), key=len)
    said = " and ".join(handle.said for handle in handles)
    return Handle(Together(tuple(handle.source for handle in handles)), listed, fans, f"a list of {said}")
