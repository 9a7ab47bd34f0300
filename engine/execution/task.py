"""Task: one call of one asset's function, as an executor carries it; Outcome: what came of it.

Both are plain values that pickle: names, ordinals, pins and file names, never functions or frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import polars as pl

from deltaworks.engine.definitions.asset_check import When
from deltaworks.engine.definitions.check_result import Fact
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.policies import error_names
from deltaworks.engine.execution.workers.parcel import EXECUTIONS
from deltaworks.io.dtypes import Json
from deltaworks.io.log import LiveFile
from deltaworks.io.rejects import LeftOut
from deltaworks.io.staged import StagedPartition
from deltaworks.validation import BrokenRule, RuleResult

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""First and last ordinals, ascending."""

Cuts: TypeAlias = Mapping[str, Ranges]
"""By the path of a view's argument, to which of its partitions its result is cut; only of views that are cut."""


@dataclass(frozen=True, slots=True)
class PinnedInput:
    """An upstream table as one task reads it."""

    asset: AssetKey
    table: str
    """The folder of its table."""
    table_id: str | None
    """None: there is no such table yet, so nothing is read."""
    version: int
    files: tuple[LiveFile, ...]
    """Those of the mapped partitions, at the version."""
    schema: pl.Schema | None
    partition_columns: tuple[str, ...]
    members: tuple[str, ...] = ()
    """What tells the set of partitions that each partition of the task reads; empty where its key says all of it."""
    root: str | None = None
    """The place that the table's folder lies in; none: the lake."""
    storage: str | None = None
    """The profile by which that place is reached."""
    computed_columns: tuple[str, ...] = ()
    """Those columns that the upstream's function does not return, so that its readers do not see them."""
    keys: tuple[str, ...] | None = None
    """Whose rows are read of files that hold those of others as well; none: all rows of the files."""
    base: str | None = None
    """What comes before the paths in the rows of a source of files."""


@dataclass(frozen=True, slots=True)
class CheckRead:
    """What one asset check reads of one partition, beside what it judges."""

    inputs: Mapping[str, PinnedInput]
    """By path of arguments."""
    cuts: Cuts


ChecksRead: TypeAlias = Mapping[str, CheckRead]
"""By the name of a check."""


@dataclass(frozen=True, slots=True)
class Task:
    """Consecutive partitions of one asset that one call makes."""

    run_id: str
    number: int
    """Unique in the run; staged files are named by it."""
    asset: AssetKey
    first: int
    last: int
    inputs: Mapping[str, PinnedInput]
    """By argument name; through a view, by the path of arguments that leads there: `late_flights.flights`."""
    is_small: bool
    """Whether the result is known to be small enough to be held in memory."""
    cuts: Cuts = field(default_factory=dict[str, Ranges])
    """What the results of views are cut to."""
    keys: tuple[str, str] | None = None
    """The first and the last key, as the coordinator names them; none: whoever carries it out has the same graph."""
    code: str | None = None
    """The code version that the coordinator knows of the asset; likewise."""
    checks: Mapping[int, ChecksRead] = field(default_factory=dict[int, "ChecksRead"])
    """What the checks of each partition read; a partition that is not in it is not judged by any."""
    when: When = When.BEFORE
    """After: nothing is made, but what is committed of the partitions is judged."""
    config_hash: str | None = None
    """What stands for the config that the function is given; none: it takes none."""
    others: tuple[Task, ...] = ()
    """Those of the same partitions of other assets that the same call makes."""
    execution: int | None = field(default=None, compare=False)
    """Which one of several that there may be, drawn at random; none: there is one."""

    @property
    def file_number(self) -> int:
        """What its files are named by: no two executions write the same ones, even if both go on."""
        return file_number(self.number, self.execution)

    def as_one(self, execution: int) -> Task:
        """Return it as one execution of it."""
        return replace(self, execution=execution, others=tuple(each.as_one(execution) for each in self.others))

    @property
    def where(self) -> str:
        """The asset and its partitions, for messages."""
        return where_of(self.asset, *(self.keys or ("", "")))

    @property
    def ordinals(self) -> range:
        """The partitions that the call makes."""
        return range(self.first, self.last + 1)

    def failed(self, reason: str, error: BaseException) -> Outcome:
        """Return the outcome if the call failed as a whole."""
        reasons = dict.fromkeys(self.ordinals, reason)
        others = tuple(each.failed(reason, error) for each in self.others)
        return Outcome(self, failures=reasons, may_pass_later=True, error_names=error_names(error), others=others)


def file_number(number: int, execution: int | None) -> int:
    """Return what the files of a task are named by, of its number and of one of its executions."""
    return number if execution is None else number * EXECUTIONS + execution


def where_of(asset: AssetKey, first: str, last: str) -> str:
    """Return how messages call some partitions of an asset."""
    return f"{asset} {first if first == last else f'{first}..{last}'}".rstrip()


@dataclass(frozen=True, slots=True)
class Checked:
    """What an asset check said of one partition."""

    result: RuleResult | None
    """None: it passed."""
    metadata: Mapping[str, Fact]


ChecksMade: TypeAlias = Mapping[str, Checked]
"""By the name of a check."""


@dataclass(frozen=True, slots=True)
class StagedOutcome:
    """A partition that passed its checks and lies staged."""

    ordinal: int
    partition: StagedPartition
    passed: int
    """How many rules passed."""
    not_passed: tuple[RuleResult, ...]
    """What did not pass and does not keep it from being committed."""
    left_out: LeftOut = field(default_factory=LeftOut)
    """How many rows of it are not to be committed."""
    metadata: Mapping[str, Mapping[str, Fact]] = field(default_factory=dict[str, Mapping[str, "Fact"]])
    """What checks want to be remembered, by their names."""

    def with_checks(self, made: ChecksMade) -> StagedOutcome:
        """Add what checks said that do not keep it from being committed."""
        if not made:
            return self
        found = tuple(each.result for each in made.values() if each.result is not None)
        metadata = {name: each.metadata for name, each in made.items() if each.metadata}
        return replace(
            self,
            passed=self.passed + len(made) - len(found),
            not_passed=(*self.not_passed, *found),
            metadata={**self.metadata, **metadata},
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """Whether the rows of a partition that failed are kept for whoever looks for the cause."""

    path: str | None
    """Where, below the lake's root; none: they are not."""
    why_not: str | None = None
    """Why there are none, if somebody would expect them."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A partition whose rows break its contract. It holds values of rows, so none of it enters a record."""

    rules: tuple[BrokenRule, ...]
    """All that did not pass, those that forbid the commit first."""
    kept: Kept


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a task: each of its partitions is either staged or failed."""

    task: Task
    staged: tuple[StagedOutcome, ...] = ()
    schema: pl.Schema | None = None
    """The columns of the result; none: the call failed before they were known."""
    failures: Mapping[int, str] = field(default_factory=dict[int, str])
    """By ordinal, one sentence each."""
    broken: Mapping[int, Broken] = field(default_factory=dict[int, Broken])
    """By ordinal, those of the failed ones whose rows were judged."""
    may_pass_later: bool = False
    """Whether it was the call that failed, so that the same call may succeed another time."""
    error_names: tuple[str, ...] = ()
    """By which names retry policies know what the call failed with; see `error_names`."""
    fingerprints: Mapping[str, str] | None = None
    """What its plan makes each column of, in a hash; none: nothing could be compared with that."""
    checked: Mapping[int, ChecksMade] = field(default_factory=dict[int, "ChecksMade"])
    """By ordinal, what the checks after the commit said."""
    took_s: float = 0.0
    """How long it took to carry the task out, once it had begun."""
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """What the function wants to be remembered of each of its partitions."""
    others: tuple[Outcome, ...] = ()
    """What came of the task's others."""

    def masked(self, masked: Callable[[str], str]) -> Outcome:
        """Return it without the secrets that `masked` takes out of texts."""
        failures = {ordinal: masked(reason) for ordinal, reason in self.failures.items()}
        return replace(self, failures=failures, others=tuple(each.masked(masked) for each in self.others))
