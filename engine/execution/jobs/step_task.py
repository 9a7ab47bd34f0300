"""StepTask: one call of an op, as an executor carries it; StepOutcome: what came of it.

Both pickle: what other steps gave stands in them by where it is stored, never by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from deltaworks.engine.definitions.ops.sources import Constant
from deltaworks.engine.definitions.policies import error_names
from deltaworks.engine.execution.task import file_number
from deltaworks.engine.planning.step_agenda import Argument, GivenValue, Listed
from deltaworks.engine.planning.step_graph import StepId
from deltaworks.io.dtypes import Json


@dataclass(frozen=True, slots=True)
class StepTask:
    """A call of an op for one step."""

    step: StepId
    where: str
    """The address of the step."""
    number: int
    """Unique in the attempt of the run; what the step gives is stored by it."""
    tried: int
    """Which try this is, counted from 1."""
    arguments: Mapping[str, Argument]
    """By input; what is not here has a default, is a table or is nothing."""
    places: Mapping[GivenValue, Json] = field(default_factory=dict[GivenValue, Json])
    """Where the values lie that it reads; empty for a call in the process of the run, which has them."""
    execution: int | None = field(default=None, compare=False)
    """Which one of several that there may be, drawn at random; none: there is one."""

    @property
    def file_number(self) -> int:
        """What its values are stored by; see `Task`."""
        return file_number(self.number, self.execution)

    def as_one(self, execution: int) -> StepTask:
        """Return it as one execution of it."""
        return replace(self, execution=execution)

    def failed(self, reason: str, error: BaseException) -> StepOutcome:
        """Return the outcome if the call failed as a whole."""
        reason = reason.removeprefix(f"{self.where}: ")
        return StepOutcome(self, reason=reason, may_pass_later=True, error_names=error_names(error))


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What a call gave, or why it gave nothing."""

    task: StepTask
    given: frozenset[str] = frozenset()
    """The outputs that there are."""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """The mapping keys of each dynamic output."""
    stored: Json = field(default_factory=dict[str, Json])
    """Where what it gave is, by output."""
    reason: str | None = None
    """Why it failed."""
    may_pass_later: bool = False
    """Whether the function raised, so that the same call may succeed another time."""
    error_names: tuple[str, ...] = ()
    """By which names retry policies know what it failed with."""
    took_s: float = 0.0
    """How long it took, once it had begun."""

    def masked(self, masked: Callable[[str], str]) -> StepOutcome:
        """Return it without the secrets that `masked` takes out of texts."""
        return self if self.reason is None else replace(self, reason=masked(self.reason))


def values_in(argument: Argument) -> Iterator[GivenValue]:
    """Yield the values that an argument is made of."""
    match argument:
        case GivenValue():
            yield argument
        case Listed(items):
            for item in items:
                yield from values_in(item)
        case Constant():
            return
