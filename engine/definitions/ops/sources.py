"""Sources: where an input of an op comes from, once a graph is composed. Values only; paths begin at the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Path: TypeAlias = tuple[str, ...]
"""The names on the way to an op: of the graphs that it stands in, then its own."""


@dataclass(frozen=True, slots=True)
class Fan:
    """What is done for each value of a dynamic output is below its fan."""

    path: Path
    """The op that has the dynamic output."""
    output: str

    def below(self, name: str) -> Fan:
        """Return the fan as the graph sees it in which its own graph has a name."""
        return Fan((name, *self.path), self.output)


@dataclass(frozen=True, slots=True)
class FromOutput:
    """An output of an op; of a dynamic one, the value of the mapping key below whose fan it is read."""

    path: Path
    output: str


@dataclass(frozen=True, slots=True)
class FromInput:
    """An input of the graph itself."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the graph."""

    value: object


@dataclass(frozen=True, slots=True)
class Collected:
    """What there is of a source for all keys of a fan, in their order, as a list."""

    source: Source
    fan: Fan


@dataclass(frozen=True, slots=True)
class Together:
    """What there is of several sources, in their order, as a list."""

    sources: tuple[Source, ...]


Source: TypeAlias = FromOutput | FromInput | Constant | Collected | Together


def lifted(source: Source, name: str, inputs: Mapping[str, Source]) -> Source:
    """Return a source of a graph as a graph sees it in which the first has a name and is given these inputs."""
    match source:
        case FromOutput(path, output):
            return FromOutput((name, *path), output)
        case FromInput(argument):
            return inputs[argument]
        case Constant():
            return source
        case Collected(inner, fan):
            return Collected(lifted(inner, name, inputs), fan.below(name))
        case Together(sources):
            return Together(tuple(lifted(each, name, inputs) for each in sources))
