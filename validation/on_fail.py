"""On fail: what an author wants to happen when a rule does not hold.

Read from ``Field(metadata={"on_fail": ...})`` for the rules of a column and from ``Config.metadata`` for those of the
whole frame; what the frame says of all rules holds for columns that say nothing. Either one severity for all of them,
or a mapping of rule names, with ``"*"`` for the others. In the place of a severity there may be a mapping with a
budget: ``{"severity": "quarantine", "max_rows": 10}``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from deltaworks.errors import did_you_mean

EVERY_RULE = "*"
_BOUNDS = ("max_rows", "max_fraction")


class Severity(StrEnum):
    """What a rule that does not hold means for the rows that were checked."""

    FAIL = "fail"
    """They are not committed."""
    WARN = "warn"
    """They are committed, and the record says what did not hold."""
    DROP = "drop"
    """Those that break the rule are left out, and counted."""
    QUARANTINE = "quarantine"
    """Those that break the rule are left out, and kept apart with the names of the rules."""

    @property
    def takes_out(self) -> bool:
        """Whether rows that break the rule are left out of what is committed."""
        return self in (Severity.DROP, Severity.QUARANTINE)


@dataclass(frozen=True, slots=True)
class Budget:
    """How many of a partition's rows may be left out; it fails above that."""

    max_rows: int | None = None
    max_fraction: float | None = None
    """Of the rows that there were."""

    def excess(self, taken: int, rows: int) -> str | None:
        """Say which bound is exceeded if so many of the rows are taken out; none if all are kept."""
        if self.max_rows is not None and taken > self.max_rows:
            return f"at most {self.max_rows:,} may be left out (max_rows)"
        if self.max_fraction is not None and taken > self.max_fraction * rows:
            return f"at most {self.max_fraction:g} of {rows:,} may be left out (max_fraction)"
        return None


@dataclass(frozen=True, slots=True)
class Reaction:
    """What follows when a rule does not hold."""

    severity: Severity = Severity.FAIL
    budget: Budget = Budget()
    """Only of severities that leave rows out."""


@dataclass(frozen=True, slots=True)
class OnFail:
    """What an author wants to follow from the rules of one column, or of one frame."""

    by_rule: Mapping[str, Reaction] = field(default_factory=dict[str, Reaction])
    otherwise: Reaction | None = None
    total: Budget = Budget()
    """Of a frame: for all rows that all of its rules together leave out."""

    def reaction(self, *names: str, raise_warning: bool = False) -> Reaction:
        """Return what follows from the rule that is called by any of ``names``.

        A rule's own name says more than pandera's ``raise_warning``, and that says more than what is for all rules.
        """
        for name in names:
            if name in self.by_rule:
                return self.by_rule[name]
        if raise_warning:
            return Reaction(Severity.WARN)
        return self.otherwise or Reaction()

    def refuse_unknown(self, rules: Collection[str], owner: str) -> None:
        """Raise ``ValueError`` if a name is none of ``rules``, the names that rules of ``owner`` go by."""
        for name in self.by_rule:
            if name not in rules:
                known = ", ".join(sorted(rules)) or "none"
                hint = did_you_mean(name, rules, otherwise="")
                raise ValueError(f"on_fail of {owner} names {name!r}, but its rules are: {known}.{hint}")


def read_on_fail(metadata: object, owner: str) -> OnFail:
    """Read the ``on_fail`` entry of pandera metadata, and the budget beside it.

    Raises:
        ValueError: it is neither a severity nor a mapping of names to severities, or a bound is no number that can be.
    """
    if not isinstance(metadata, Mapping):
        return OnFail()
    entries = cast(Mapping[object, object], metadata)
    wanted, total = entries.get("on_fail"), _budget(entries, owner)
    if wanted is None:
        return OnFail(total=total)
    if not isinstance(wanted, Mapping):
        return OnFail(otherwise=_reaction(wanted, owner), total=total)
    named = cast(Mapping[object, object], wanted)
    if "severity" in named:
        return OnFail(otherwise=_reaction(named, owner), total=total)
    reactions = {str(name): _reaction(value, owner) for name, value in named.items()}
    return OnFail(otherwise=reactions.pop(EVERY_RULE, None), by_rule=reactions, total=total)


def _reaction(value: object, owner: str) -> Reaction:
    if not isinstance(value, Mapping):
        return Reaction(_severity(value, owner))
    entries = cast(Mapping[object, object], value)
    unknown = [str(name) for name in entries if name not in ("severity", *_BOUNDS)]
    if unknown:
        raise ValueError(f"on_fail of {owner} has {unknown[0]!r}; it can have severity, max_rows and max_fraction.")
    severity, budget = _severity(entries.get("severity"), owner), _budget(entries, owner)
    if budget != Budget() and not severity.takes_out:
        raise ValueError(f"on_fail of {owner} has a budget, but severity {severity.value!r} leaves no rows out.")
    return Reaction(severity, budget)


def _severity(value: object, owner: str) -> Severity:
    try:
        return Severity(cast(str, value))
    except ValueError:
        known = ", ".join(repr(each.value) for each in Severity)
        raise ValueError(f"on_fail of {owner} says {value!r}; it can be one of {known}.") from None


def _budget(entries: Mapping[object, object], owner: str) -> Budget:
    rows, fraction = entries.get("max_rows"), entries.get("max_fraction")
    if rows is not None and (not isinstance(rows, int) or isinstance(rows, bool) or rows < 0):
        raise ValueError(f"max_rows of {owner} is {rows!r}; it must be a whole number from 0 on.")
    if fraction is not None and (not isinstance(fraction, int | float) or not 0 <= fraction <= 1):
        raise ValueError(f"max_fraction of {owner} is {fraction!r}; it must be between 0 and 1.")
    return Budget(rows, None if fraction is None else float(fraction))
