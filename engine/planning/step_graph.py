"""StepGraph: the ops of a job without the graphs around them, each with its address and what it reads.

An op below a fan is one node and as many steps as the fan has keys: `fan[key].inner`. Below a fan within a fan a step
has two keys, and so on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from deltaworks.engine.definitions.ops.graph import Graph
from deltaworks.engine.definitions.ops.op import Op
from deltaworks.engine.definitions.ops.sources import (
    Collected,
    Constant,
    Fan,
    FromInput,
    FromOutput,
    Path,
    Source,
    Together,
)
from deltaworks.errors import Place

UNKNOWN = "?"
"""Stands for a key in the address of steps of which nobody knows how many there would have been."""


class StepId(NamedTuple):
    """A step of a run: an op of the job, and a key for each fan that it is below.

    With fewer keys it means all steps of the op below these.
    """

    path: Path
    keys: tuple[str, ...] = ()


class Need(NamedTuple):
    """Steps that must have ended before another one can be decided on."""

    path: Path
    level: int
    """How many keys they have in common with the step that needs them; all below them are meant."""


@dataclass(frozen=True, slots=True)
class StepNode:
    """An op as it stands in a job."""

    path: Path
    op: Op
    inputs: Mapping[str, Source]
    fans: tuple[Fan, ...]
    """Outermost first; a step has a key for each."""
    levels: tuple[int, ...]
    """For each name of the path, how many of the fans it is below."""
    where: Place | None
    needs: tuple[Need, ...] = ()

    def address(self, keys: Sequence[str]) -> str:
        """Return how a step of this op is called: `announce.notify`, `fan[key].inner`."""
        padded = [*keys, *[UNKNOWN] * (len(self.fans) - len(keys))]
        parts: list[str] = []
        before = 0
        for name, level in zip(self.path, self.levels, strict=True):
            parts.append(f"{name}[{','.join(padded[before:level])}]" if level > before else name)
            before = level
        return ".".join(parts)


@dataclass(frozen=True)
class StepGraph:
    """The ops of a job; each stands after what it reads."""

    nodes: Mapping[Path, StepNode]
    outputs: Mapping[str, Source]
    """What the job gives, by name."""
    below: Mapping[Fan, Sequence[Path]]
    """The ops below each fan, those below a fan within it included."""
    readers: Mapping[Path, Sequence[Path]]
    """The ops that read or wait for each op, each once."""

    def address(self, step: StepId) -> str:
        """Return how a step is called."""
        return self.nodes[step.path].address(step.keys)


def resolve_steps(graph: Graph, inputs: Mapping[str, object]) -> StepGraph:
    """Return the steps of a graph whose own inputs have these values."""
    given: dict[str, Source] = {name: Constant(value) for name, value in inputs.items()}
    nodes: dict[Path, StepNode] = {}
    below: dict[Fan, list[Path]] = {}
    readers: dict[Path, list[Path]] = {}
    for placed in _placed(graph, (), given, (), ()):
        needs = tuple(dict.fromkeys(need for source in placed.inputs.values() for need in _needs(source, nodes)))
        node = nodes[placed.path] = replace(placed, needs=needs)
        readers[node.path] = []
        for fan in node.fans:
            below.setdefault(fan, []).append(node.path)
        for path in dict.fromkeys(need.path for need in needs):
            readers[path].append(node.path)
    outputs = {name: _absolute(handle.source, (), given) for name, handle in graph.outputs.items()}
    return StepGraph(nodes, outputs, below, readers)


def _placed(
    graph: Graph, prefix: Path, given: Mapping[str, Source], fans: tuple[Fan, ...], levels: tuple[int, ...]
) -> Iterator[StepNode]:
    """Yield the ops of a graph that stands at a path, whose inputs come from these sources, below fans."""
    for name, invocation in graph.invocations.items():
        inputs = {argument: _absolute(source, prefix, given) for argument, source in invocation.inputs.items()}
        own = (*fans, *(Fan((*prefix, *fan.path), fan.output) for fan in invocation.fans))
        path, depth = (*prefix, name), (*levels, len(own))
        if isinstance(invocation.of, Op):
            yield StepNode(path, invocation.of, inputs, own, depth, invocation.where)
        else:
            yield from _placed(invocation.of, path, inputs, own, depth)


def _absolute(source: Source, prefix: Path, given: Mapping[str, Source]) -> Source:
    """Return a source of the graph that stands at a path, and is given these inputs, as the job sees it."""
    match source:
        case FromInput(name):
            return given[name]
        case FromOutput(path, output):
            return FromOutput((*prefix, *path), output)
        case Constant():
            return source
        case Collected(inner, fan):
            return Collected(_absolute(inner, prefix, given), Fan((*prefix, *fan.path), fan.output))
        case Together(sources):
            return Together(tuple(_absolute(each, prefix, given) for each in sources))


def _needs(source: Source, nodes: Mapping[Path, StepNode], most: int | None = None) -> Iterator[Need]:
    """Yield what must have ended before a source can be read; `most`: so many keys are known where it is collected."""
    match source:
        case FromOutput(path):
            level = len(nodes[path].fans)
            yield Need(path, level if most is None else min(level, most))
        case Collected(inner, fan):
            level = len(nodes[fan.path].fans)
            most = level if most is None else min(level, most)
            yield Need(fan.path, most)
            yield from _needs(inner, nodes, most)
        case Together(sources):
            for each in sources:
                yield from _needs(each, nodes, most)
        case FromInput() | Constant():
            return
