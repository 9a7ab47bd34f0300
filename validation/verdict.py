"""Verdict: what came of judging some rows against a contract.

Plain values that pickle. A verdict knows nothing of how its rules were evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired, TypedDict

from deltaworks.validation.on_fail import Severity


class RuleRecord(TypedDict):
    """A rule that did not pass, as a commit records it."""

    rule: str
    severity: str
    failed_rows: int | None
    column: str | None
    is_check: NotRequired[bool]


_FATE = {Severity.DROP: "which were dropped", Severity.QUARANTINE: "which were quarantined"}


@dataclass(frozen=True, slots=True)
class RuleResult:
    """A rule that did not pass. Its text is a sentence for people, and may show values of rows."""

    column: str | None
    """None: the rule is about the whole frame."""
    rule: str
    """The rule's name, unique among those of its column."""
    severity: Severity
    failed_rows: int | None
    """Row rules: rows that break it. Unique rules: rows in excess, i.e. rows minus distinct keys, or all rows of keys
    that occur more than once where those are left out. Else None."""
    samples: tuple[str, ...] = ()
    """Some offending values, or keys that occur more than once."""
    more_samples: bool = False
    """Whether there are others than these."""
    problem: str | None = None
    """Why the rule could not be evaluated, if that is how it failed."""
    note: str | None = None
    """What more there is to say, at the end of the sentence."""
    is_check: bool = False
    """Whether it is an asset check, a function of the author's that judged the rows as a whole."""

    def __str__(self) -> str:
        if self.is_check:
            return self._check_text()
        subject = f"{self.column or 'table'}: {self.rule}"
        if self.problem is not None:
            return f"{subject} could not be checked: {self.problem}"
        note = f", {self.note or _FATE.get(self.severity)}" if self.note or self.severity in _FATE else ""
        if self.failed_rows is None:
            return f"{subject} failed{self._shown_samples()}{note}"
        rows = "1 row" if self.failed_rows == 1 else f"{self.failed_rows:,} rows"
        return f"{subject} failed for {rows}{self._shown_samples()}{note}"

    def to_json(self) -> RuleRecord:
        """Return what a commit may record: no values of rows, hence no samples and no problem."""
        record: RuleRecord = {
            "rule": self.rule,
            "severity": self.severity.value,
            "failed_rows": self.failed_rows,
            "column": self.column,
        }
        if self.is_check:
            record["is_check"] = True
        return record

    def _check_text(self) -> str:
        if self.problem is not None:
            return f"check {self.rule} could not be judged: {self.problem}"
        return f"check {self.rule} failed{f': {self.note}' if self.note else ''}"

    def _shown_samples(self) -> str:
        if not self.samples:
            return ""
        shown = (*self.samples, "...") if self.more_samples else self.samples
        return f" (samples: {', '.join(shown)})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How some rows, most often those of one partition, keep a contract."""

    rows: int
    """Those that may be committed."""
    results: tuple[RuleResult, ...]
    """The rules that did not pass, in the order of the contract."""
    passed: int
    """How many rules passed."""

    @property
    def ok(self) -> bool:
        """Whether the rows may be committed: nothing failed, though there may be warnings."""
        return not self.failed

    @property
    def failed(self) -> tuple[RuleResult, ...]:
        """The results that forbid a commit."""
        return tuple(result for result in self.results if result.severity is Severity.FAIL)

    @property
    def warned(self) -> tuple[RuleResult, ...]:
        """The results that a commit only records."""
        return tuple(result for result in self.results if result.severity is Severity.WARN)

    @property
    def taken_out(self) -> tuple[RuleResult, ...]:
        """The results of rules whose rows are left out of the commit, which records how many."""
        return tuple(result for result in self.results if result.severity.takes_out)
