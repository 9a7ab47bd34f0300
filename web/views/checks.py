"""Checks: what is asked of the rows of an asset, and how often it did not hold of late."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import polars as pl

from deltaworks.engine.documents.problems import plain_reason
from deltaworks.engine.planning.graph import Node
from deltaworks.io.log import Commit
from deltaworks.io.run_entry import RunEntry
from deltaworks.validation import ResidualCheck, Rule, compile_contract, declare
from deltaworks.web.views.asset import AssetHead, asset_head, commits_of
from deltaworks.web.workspace import Sight

LOOKED_AT = 60
"""How many commits are looked at."""

SHOWN_FAILURES = 20


@dataclass(frozen=True, slots=True)
class Broken:
    """A time when a rule did not hold."""

    version: int
    run_id: str | None
    partition: str
    rows: int | None


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule of the model, or an asset check."""

    column: str
    """Empty: it is about the whole table."""
    name: str
    kind: str
    """`model` or `check`; `former` of what is asked no more."""
    severity: str
    """What follows if it does not hold."""
    told: str
    marks: tuple[bool, ...]
    """For each of the last commits, the oldest first, whether it held."""
    last: Broken | None

    @property
    def broken(self) -> int:
        """In how many of the commits it did not hold."""
        return self.marks.count(False)


@dataclass(frozen=True, slots=True)
class Failed:
    """A partition that was not committed, or did not pass afterwards."""

    run_id: str
    at: dt.datetime
    partition: str
    error: str


@dataclass(frozen=True, slots=True)
class ChecksView:
    """What is asked of an asset, and what did not hold."""

    head: AssetHead
    rules: tuple[RuleRow, ...]
    commits: int
    failed: tuple[Failed, ...]


def checks_view(sight: Sight, node: Node) -> ChecksView:
    """Return the rules and checks of an asset, with the last commits in which they did not hold."""
    commits = commits_of(sight, node, LOOKED_AT)[::-1] if node.key in sight.project.graph.nodes else []
    late = _broken_later(sight.observation.runs, str(node.key))
    rules = [_row(commits, *each, late) for each in declared_rules(node)]
    known = {(rule.column, rule.name) for rule in rules}
    gone = dict.fromkeys(
        (each.get("column") or "", each["rule"], each["severity"])
        for commit in commits
        for each in _not_passed(commit)
        if (each.get("column") or "", each["rule"]) not in known
    )
    rules += [_row(commits, column, name, "former", severity, "", late) for column, name, severity in gone]
    failed = islice(_failed(sight, str(node.key)), SHOWN_FAILURES)
    return ChecksView(asset_head(sight, node), tuple(rules), len(commits), tuple(failed))


def declared_rules(node: Node) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield column, name, kind, severity and description of everything that is asked of an asset's rows."""
    model = node.asset.model
    if model is not None:
        schema = pl.Schema({column.name: column.dtype for column in declare(model).columns})
        contract = compile_contract(model, schema)
        asked: list[Rule | ResidualCheck] = [*contract.rules, *contract.residual]
        for rule in asked:
            yield rule.column or "", rule.name, "model", rule.severity.value, ""
    for each in node.checks:
        yield "", each.check.name, "check", "fail" if each.check.blocking else "warn", each.check.description


def _row(
    commits: Sequence[Commit],
    column: str,
    name: str,
    kind: str,
    severity: str,
    told: str,
    late: Mapping[tuple[str, int], Broken],
) -> RuleRow:
    marks: list[bool] = []
    last: Broken | None = None
    for commit in commits:
        found = [each for each in _not_passed(commit) if _is_it(each, column, name)]
        later = late.get((name, commit.version)) if kind == "check" else None
        marks.append(not found and later is None)
        last = last if later is None else later
        if found:
            run_id = None if commit.record is None else commit.record.run_id
            first = found[0]
            last = Broken(commit.version, run_id, first.get("partition") or "", first.get("failed_rows"))
    return RuleRow(column, name, kind, severity, told, tuple(marks), last)


def _broken_later(runs: Sequence[RunEntry], asset: str) -> dict[tuple[str, int], Broken]:
    """Return when checks after commits did not hold, by check and version."""
    return {
        (each.check, each.version): Broken(each.version, run.run_id, each.partition or "", None)
        for run in runs
        for each in run.check_failures
        if each.asset == asset
    }


def _is_it(recorded: dict[str, Any], column: str, name: str) -> bool:
    return recorded["rule"] == name and (recorded.get("column") or "") == column


def _not_passed(commit: Commit) -> list[dict[str, Any]]:
    if commit.record is None or commit.record.is_foreign:
        return []
    found: list[dict[str, Any]] = commit.record.checks.get("not_passed", [])
    return found


def _failed(sight: Sight, asset: str) -> Iterator[Failed]:
    """Yield what did not pass, the latest first: partitions that were not committed, and checks after commits."""
    for run in reversed(sight.observation.runs):
        at = dt.datetime.fromisoformat(run.started_at)
        for failure in run.failures:
            if failure.asset == asset:
                reason = plain_reason(asset, failure.partition or "", failure.error)
                yield Failed(run.run_id, at, failure.partition or "", sight.from_folder(reason))
        for late in reversed(run.check_failures):
            if late.asset == asset:
                yield Failed(run.run_id, at, late.partition or "", late.problem)
