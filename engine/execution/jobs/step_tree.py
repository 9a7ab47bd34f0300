"""StepTree: the steps of a run of a job of ops as they are recorded, below the graphs and the keys that they belong to.

It is read from the lake alone: the job may be another one by now, or gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from deltaworks.engine.planning.step_agenda import Fate
from deltaworks.io.dtypes import Json
from deltaworks.io.step_records import StepRecords

WAITING = "waiting"
"""It has not ended, and the run goes on."""

NOT_RUN = "not run"
"""It has not ended, and the run is over."""

_WORST = (Fate.FAILED, Fate.CANCELED, Fate.BLOCKED, NOT_RUN, WAITING, Fate.SUCCESS, Fate.SKIPPED)
"""What is said of several steps together: the first of these that any of them is."""

_PART = re.compile(r"([^.\[]+)(\[[^\]]*\])?\.?")


@dataclass(slots=True)
class StepBranch:
    """A step, or what several steps are below: a graph, or an op or graph that is done for each key of a fan."""

    name: str
    """Its own part of the address."""
    step: str | None = None
    """The address; none: it is no step itself."""
    status: str = NOT_RUN
    tries: int = 0
    took_s: float = 0.0
    """How long its last try took, or those of all below it together."""
    reason: str | None = None
    is_kept: bool = False
    """Whether an earlier attempt or run has done it."""
    below: dict[str, StepBranch] = field(default_factory=dict[str, "StepBranch"])
    """By name."""

    def steps(self) -> Iterator[StepBranch]:
        """Yield all steps of the branch."""
        if self.step is not None:
            yield self
        for each in self.below.values():
            yield from each.steps()


def read_step_tree(records: StepRecords, *, is_over: bool) -> tuple[StepBranch, ...]:
    """Return the steps of a run, in the order of its graph; nothing if nothing is recorded of it.

    Args:
        records: those of the run.
        is_over: whether nothing more comes of it.

    Raises:
        StorageError: what is recorded is damaged.
    """
    if not records.has_run():
        return ()
    root = StepBranch("")
    ended = list(records.read_ends())
    known = {_without_keys(each["step"]) for each in ended}
    by_op: dict[str, list[Json]] = {}
    for each in ended:
        by_op.setdefault(_without_keys(each["step"]), []).append(each)
    for address in records.read_run()["ops"]:
        op = _without_keys(address)
        if op not in known:
            _put(root, address, {"fate": NOT_RUN if is_over else WAITING})
        for each in by_op.get(op, ()):
            _put(root, each["step"], each)
    _sum_up(root)
    return tuple(root.below.values())


def _put(root: StepBranch, address: str, end: Json) -> None:
    branch = root
    for name in _names(address):
        branch = branch.below.setdefault(name, StepBranch(name))
    branch.step, branch.status = address, end["fate"]
    branch.tries, branch.took_s = end.get("tries", 0), end.get("took_s", 0.0)
    branch.reason, branch.is_kept = end.get("reason"), end.get("kept", False)


def _names(address: str) -> Iterable[str]:
    """Yield the names on the way to a step: `fan[a].inner` is `inner` below `[a]` below `fan`."""
    for match in _PART.finditer(address):
        yield from (name for name in match.groups() if name is not None)


def _without_keys(address: str) -> str:
    return ".".join(match.group(1) for match in _PART.finditer(address))


def _sum_up(branch: StepBranch) -> None:
    """Say of everything that is no step itself what is true of the steps below it together, and sort keys."""
    if all(name.startswith("[") for name in branch.below):
        branch.below = dict(sorted(branch.below.items()))
    for each in branch.below.values():
        _sum_up(each)
    if branch.below and branch.step is None:
        statuses = {each.status for each in branch.below.values()}
        branch.status = next(status for status in _WORST if status in statuses)
        branch.took_s = sum(each.took_s for each in branch.below.values())
        branch.tries = sum(each.tries for each in branch.below.values())
        branch.is_kept = all(each.is_kept for each in branch.below.values())
