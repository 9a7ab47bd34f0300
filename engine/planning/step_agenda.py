"""StepAgenda: which steps of a job may run now, which never will, and why.

Pure: whoever runs the steps says how each ended, and takes what is ready. A dynamic output is expanded from its keys
alone, so that the same endings give the same steps again; that is what a retry goes on from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from deltaworks.engine.definitions.ops.op import RunWhen
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
from deltaworks.engine.planning.step_graph import StepGraph, StepId, StepNode


class Fate(StrEnum):
    """How a step ended."""

    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not run, since what it takes was not given, as its graph allows."""
    BLOCKED = "blocked"
    """Not run, since something above it failed."""
    CANCELED = "canceled"
    """Not run, or not to its end, since somebody stopped the run."""

    @property
    def is_bad(self) -> bool:
        """Whether what reads the step must not take its lack for a choice."""
        return self in (Fate.FAILED, Fate.BLOCKED, Fate.CANCELED)


@dataclass(frozen=True, slots=True)
class StepEnd:
    """How a step ended, and what it gave."""

    fate: Fate
    given: frozenset[str] = frozenset()
    """The outputs that there are."""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """The mapping keys of each dynamic output."""
    reason: str | None = None
    """Why it failed, or was not run."""


@dataclass(frozen=True, slots=True)
class GivenValue:
    """A value that a step gave."""

    step: StepId
    output: str
    key: str | None = None
    """Of a dynamic output."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Values that go into an input as a list."""

    items: tuple[Argument, ...]


Argument = GivenValue | Constant | Listed
"""What an input of a step is given."""


class StepAgenda:
    """The steps of one run, from waiting over ready to ended.

    Args:
        graph: the steps of the job.
        recorded: how steps ended in the run that this one goes on from. What succeeded is not run again, unless it
            stands below something that is: it ran on what was there without that.
    """

    def __init__(self, graph: StepGraph, recorded: Mapping[StepId, StepEnd] | None = None) -> None:
        self.graph = graph
        self.ends: dict[StepId, StepEnd] = {}
        self.ended: list[StepId] = []
        """Whose ends are known, in the order in which they became so."""
        self._recorded = recorded or {}
        self._as_recorded: set[StepId] = set()
        self._pending: dict[StepId, int] = {}
        """How many steps have not ended, of an op and below some keys; ops that wait for a fan's keys count as one."""
        self._waits: dict[StepId, int] = {}
        self._waiters: dict[StepId, list[StepId]] = {}
        self._undecided: deque[StepId] = deque()
        self._ready: deque[StepId] = deque()
        self._begun: set[StepId] = set()
        self.is_canceled = False
        for node in graph.nodes.values():
            self._add(node, ())
        self._decide_all()

    @property
    def has_ready(self) -> bool:
        """Whether `take` would give something."""
        return bool(self._ready)

    @property
    def is_done(self) -> bool:
        """Whether every step has ended."""
        return not self._ready and not self._begun

    def take(self) -> StepId | None:
        """Take the next step that is ready; none: nothing is."""
        if not self._ready:
            return None
        step = self._ready.popleft()
        self._begun.add(step)
        return step

    def end(self, step: StepId, end: StepEnd) -> None:
        """Note how a step ended that was taken."""
        self._begun.remove(step)
        self._end(step, end)
        self._decide_all()

    def kept(self, step: StepId) -> bool:
        """Return whether a step ended as recorded and was not run again."""
        return step in self._as_recorded

    def cancel(self) -> None:
        """Begin nothing more: what was taken may end, what was not ends now or as soon as it would be ready."""
        self.is_canceled = True
        while self._ready:
            self._end(self._ready.popleft(), _CANCELED)
        self._decide_all()

    def ended_below(self, path: Path) -> bool:
        """Return whether all steps of an op have ended."""
        return self._pending[StepId(path)] == 0

    def arguments(self, step: StepId) -> dict[str, Argument]:
        """Return what a step is given by input; what is not there is not in it, nor are inputs of no source."""
        node = self.graph.nodes[step.path]
        found = ((name, self.read(source, step.keys)) for name, source in node.inputs.items())
        return {name: argument for name, argument in found if argument is not None}

    def read(self, source: Source, keys: tuple[str, ...] = ()) -> Argument | None:
        """Return what a source gives to a step with these keys; none: it is not there."""
        match source:
            case Constant():
                return source
            case FromInput():
                raise AssertionError("a step graph has no inputs of its own")
            case FromOutput(path, output):
                return self._value(path, output, keys)
            case Together(sources):
                items = [each for each in (self.read(inner, keys) for inner in sources) if each is not None]
                return Listed(tuple(items))
            case Collected(inner, fan):
                found = self._keys(fan, keys)
                below = (self.read(inner, (*self._prefix(fan, keys), key)) for key in found or ())
                return Listed(tuple(each for each in below if each is not None))

    def _value(self, path: Path, output: str, keys: tuple[str, ...]) -> GivenValue | None:
        level = len(self.graph.nodes[path].fans)
        step = StepId(path, keys[:level])
        end = self.ends.get(step)
        if end is None or end.fate is not Fate.SUCCESS or output not in end.given:
            return None
        return GivenValue(step, output, keys[level] if output in end.keys else None)

    def _prefix(self, fan: Fan, keys: tuple[str, ...]) -> tuple[str, ...]:
        return keys[: len(self.graph.nodes[fan.path].fans)]

    def _keys(self, fan: Fan, keys: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return the keys of a fan below some others; none: its op gave none."""
        end = self.ends.get(StepId(fan.path, self._prefix(fan, keys)))
        return None if end is None or end.fate is not Fate.SUCCESS else end.keys.get(fan.output, ())

    def _add(self, node: StepNode, keys: tuple[str, ...]) -> None:
        """Let a step wait for what it needs, or all steps of an op below some keys for the next key."""
        step = StepId(node.path, keys)
        for level in range(len(keys) + 1):
            below = StepId(node.path, keys[:level])
            self._pending[below] = self._pending.get(below, 0) + 1
        if len(keys) < len(node.fans):
            return
        count = 0
        for need in node.needs:
            needed = StepId(need.path, keys[: need.level])
            if self._pending.get(needed):
                self._waiters.setdefault(needed, []).append(step)
                count += 1
        if count:
            self._waits[step] = count
        else:
            self._undecided.append(step)

    def _end(self, step: StepId, end: StepEnd) -> None:
        """Note an end, and with it those of the steps of which there will be none."""
        ended = [(step, end)]
        while ended:
            step, end = ended.pop()
            self.ends[step] = end
            self.ended.append(step)
            node = self.graph.nodes[step.path]
            if len(step.keys) == len(node.fans):
                for output in node.op.signature.outputs:
                    if output.is_dynamic:
                        ended += self._expand(step, output.name, end)
            self._count_off(step)

    def _expand(self, step: StepId, output: str, end: StepEnd) -> list[tuple[StepId, StepEnd]]:
        """Add a step for each key of a fan; return the ends of what there is none of."""
        unknown: list[tuple[StepId, StepEnd]] = []
        for path in self.graph.below.get(Fan(step.path, output), ()):
            placeholder = StepId(path, step.keys)
            if end.fate is Fate.SUCCESS:
                for key in end.keys.get(output, ()):
                    self._add(self.graph.nodes[path], (*step.keys, key))
                self._count_off(placeholder)
            elif placeholder not in self.ends:
                fate = Fate.BLOCKED if end.fate is Fate.FAILED else end.fate
                unknown.append((placeholder, StepEnd(fate, reason=self._because(step, end))))
        return unknown

    def _count_off(self, step: StepId) -> None:
        for level in range(len(step.keys), -1, -1):
            below = StepId(step.path, step.keys[:level])
            self._pending[below] -= 1
            if self._pending[below]:
                continue
            for waiter in self._waiters.pop(below, ()):
                if waiter in self._waits:
                    self._waits[waiter] -= 1
                    if not self._waits[waiter]:
                        del self._waits[waiter]
                        self._undecided.append(waiter)

    def _decide_all(self) -> None:
        while self._undecided:
            step = self._undecided.popleft()
            if self.is_canceled:
                self._end(step, _CANCELED)
                continue
            found = list(self._found(step))
            end = self._decided(step, found)
            is_same = bool(self._recorded) and all(each in self._as_recorded for each, _, _ in found)
            if end is None and is_same and self._recorded.get(step, _CANCELED).fate is Fate.SUCCESS:
                end = self._recorded[step]
            if end is None:
                self._ready.append(step)
                continue
            if is_same:
                self._as_recorded.add(step)
            self._end(step, end)

    def _decided(self, step: StepId, found: list[_Found]) -> StepEnd | None:
        """Return how a step ends without being run; none: it is to be run."""
        node = self.graph.nodes[step.path]
        bad = next((each for each, fate, _ in found if fate is not None and fate.is_bad), None)
        match node.op.run_when:
            case RunWhen.ALL_DONE:
                return None
            case RunWhen.ANY_FAILED:
                return None if bad is not None else StepEnd(Fate.SKIPPED, reason="nothing before it failed")
            case RunWhen.ANY_SUCCESS:
                lacks = bool(found) and not any(is_there for _, _, is_there in found)
            case RunWhen.ALL_SUCCESS:
                lacks = bad is not None or any(self._is_lacking(source, step.keys) for source in node.inputs.values())
        if not lacks:
            return None
        if bad is not None:
            return StepEnd(Fate.BLOCKED, reason=self._because(bad, self.ends[bad]))
        missing = next(each for each, _, is_there in found if not is_there)
        return StepEnd(Fate.SKIPPED, reason=self._because(missing, self.ends[missing]))

    def _is_lacking(self, source: Source, keys: tuple[str, ...]) -> bool:
        """Return whether a source gives nothing; a list does if everything that would be in it was skipped."""
        argument = self.read(source, keys)
        if not isinstance(argument, Listed) or argument.items:
            return argument is None
        match source:
            case Together(sources):
                return bool(sources)
            case Collected(_, fan):
                return self._keys(fan, keys) != ()
            case _:
                return False

    def _found(self, step: StepId) -> Iterator[_Found]:
        """Yield the steps that a step reads or waits for, how each ended, and whether it gave what is read of it."""
        for source in self.graph.nodes[step.path].inputs.values():
            yield from self._found_in(source, step.keys)

    def _found_in(self, source: Source, keys: tuple[str, ...]) -> Iterator[_Found]:
        match source:
            case FromOutput(path, output):
                step = StepId(path, keys[: len(self.graph.nodes[path].fans)])
                end = self.ends[step]
                yield step, end.fate, output in end.given
            case Together(sources):
                for each in sources:
                    yield from self._found_in(each, keys)
            case Collected(inner, fan):
                step = StepId(fan.path, self._prefix(fan, keys))
                found = self._keys(fan, keys)
                if not found:
                    yield step, self.ends[step].fate, found is not None
                for key in found or ():
                    yield from self._found_in(inner, (*step.keys, key))
            case Constant() | FromInput():
                return

    def _because(self, step: StepId, end: StepEnd) -> str:
        """Return why nothing came of what reads a step."""
        if end.fate is Fate.SUCCESS:
            return f"{self.graph.address(step)} did not give what it reads"
        if end.fate is Fate.FAILED:
            return f"{self.graph.address(step)} failed"
        return end.reason or f"{self.graph.address(step)} was not run"


_Found = tuple[StepId, Fate | None, bool]
_CANCELED = StepEnd(Fate.CANCELED, reason="the run was stopped")
