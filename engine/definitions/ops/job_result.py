"""JobResult: how a run of a job in this process went, and what its steps gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deltaworks.engine.definitions.ops.hooks import Ending
from deltaworks.engine.definitions.ops.ports import RESULT
from deltaworks.errors import RequestError, did_you_mean


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step ended."""

    ending: Ending
    reason: str | None = None
    """Why it failed or was not run."""
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """By name, those that there are; a dynamic one by mapping key."""
    tries: int = 0
    """0: it was not run, or not again."""
    is_kept: bool = False
    """Whether an earlier run has done it, from whose failure this one went on."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a run ended."""

    run_id: str
    job: str
    ending: Ending
    steps: Mapping[str, StepResult]
    """By address."""
    outputs: Mapping[str, Any]
    """What the graph returns, by name; what is not there is not in it."""
    left_calls: int = 0
    """How many calls went on in threads when a canceled run went without them."""

    @property
    def success(self) -> bool:
        """Whether no step failed."""
        return self.ending is Ending.SUCCESS

    @property
    def failures(self) -> dict[str, str]:
        """Why each step that failed did, by address."""
        return {step: each.reason or "" for step, each in self.steps.items() if each.ending is Ending.FAILURE}

    def output(self, step: str | None = None, name: str = RESULT) -> Any:
        """Return an output of a step, by its address; without one, of the job itself.

        Raises:
            RequestError: there is none of that name.
        """
        if step is None:
            whose, found = f"job {self.job!r}", self.outputs
        elif step in self.steps:
            whose, found = f"step {step!r}", self.steps[step].outputs
        else:
            hint = did_you_mean(step, self.steps, otherwise=f" Its steps are {', '.join(self.steps)}.")
            raise RequestError(f"Job {self.job!r} has no step {step!r}.{hint}")
        if name not in found:
            raise RequestError(f"There is no output {name!r} of {whose}; there are {', '.join(found) or 'none'}.")
        return found[name]
