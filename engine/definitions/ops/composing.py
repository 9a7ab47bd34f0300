"""Composing: what a graph's function does while it is called once, at load, to find out what it puts together.

There are no values yet. Calling an op or a graph gives handles of what it will give; they may only be handed on. What
is called inside `.map(...)` belongs to the fan and is done for each of its keys.
"""

from __future__ import annotations

from collections import defaultdict, namedtuple
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from deltaworks.engine.definitions.calling import calling_place
from deltaworks.engine.definitions.ops.handles import (
    FANS,
    Fanned,
    Fans,
    Handle,
    attribute_of,
    below,
    handle_of,
    handles_in,
    items_of,
    wrapped,
)
from deltaworks.engine.definitions.ops.ports import InPort, OutPort
from deltaworks.engine.definitions.ops.sources import (
    Constant,
    Fan,
    FromInput,
    FromOutput,
    Source,
    lifted,
)
from deltaworks.engine.definitions.ops.value_type import is_of, misfit, spelled, takes_none
from deltaworks.errors import InvalidDefinition, Place, did_you_mean

if TYPE_CHECKING:
    from deltaworks.engine.definitions.ops.graph import Graph
    from deltaworks.engine.definitions.ops.op import Op

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


class Composer:
    """The graph that is being composed."""

    def __init__(self, graph: str) -> None:
        self.graph = graph
        self.invocations: dict[str, Invocation] = {}
        self.uses: dict[str, list[Use]] = {}
        """By input of the graph."""
        self._numbers: defaultdict[str, int] = defaultdict(lambda: 1)
        """By name: the number that the latest of its invocations got."""

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
            own = tuple(fan.below(name) for fan in inner.fans)
            source = lifted(inner.source, name, inputs)
            handles[output] = Handle(source, inner.value_type, (*fans, *own), f"output of graph {name!r}")
        return self._results(graph.name, handles)

    def _results(self, name: str, handles: Mapping[str, Handle]) -> Any:
        shown = {output: wrapped(handle, FANS.get() or ()) for output, handle in handles.items()}
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
        handle = handle_of(value, f"{whose}, input {port.name!r}", where)
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
        fans = FANS.get() or ()
        for handle in (each for value in given for each in handles_in(value)):
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
        with below(()):
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
        items = items_of(found)
        names: Sequence[str] = attribute_of(found, "_fields", [f"result_{place}" for place in range(len(items))])
        named = dict(zip(names, items, strict=True))
    else:
        named = {"result": found}
    outputs: dict[str, Handle] = {}
    for name, value in named.items():
        handle = value.each if isinstance(value, Fanned) else handle_of(value, f"{whose}, output {name!r}", where)
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
