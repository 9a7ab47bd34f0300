"""Stage: write what an asset's function returns, and check exactly what was written.

Nothing staged is visible to any reader. A partition that breaks a rule is dropped; the others of the call stay. Two
ways lead to the same files: in memory for one partition known to be small, at about half the cost, and streaming, in
bounded memory, for everything else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import polars as pl

from deltaworks.engine.definitions.asset_check import When
from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.policies import error_names
from deltaworks.engine.execution.asset_resources import AssetResources
from deltaworks.engine.execution.call import Call, Configs, ContractKey, Result, call_function, call_together, guard
from deltaworks.engine.execution.check_pins import CONTENT
from deltaworks.engine.execution.checking import Checker, refusals_of, staged_pin
from deltaworks.engine.execution.given import Produced, describe
from deltaworks.engine.execution.handed_in import handed_in
from deltaworks.engine.execution.keep import Keep, keep_broken, look_into
from deltaworks.engine.execution.sift import measure, sift, stored_schema
from deltaworks.engine.execution.sizes import SMALL_BYTES
from deltaworks.engine.execution.tally import Tally
from deltaworks.engine.execution.task import Broken, Kept, Outcome, StagedOutcome, Task
from deltaworks.engine.planning.fingerprint import fingerprints, is_rehearsable, partition_texts
from deltaworks.engine.planning.graph import Node
from deltaworks.errors import DeltaworksError, RunError, ValidationFailed
from deltaworks.io.failpoints import Step, hit
from deltaworks.io.parquet import TARGET_FILE_BYTES, Staging, disk_refusal
from deltaworks.io.partition_values import serialized, typed
from deltaworks.io.rejects import LeftOut, drop_rejects
from deltaworks.io.scan import scan_files
from deltaworks.io.staged import RejectsFile, StagedFile, StagedPartition
from deltaworks.io.store import Store
from deltaworks.validation import ROWS, BrokenRule, Contract, RuleResult

_LOG = logging.getLogger("deltaworks.execution")


@dataclass(frozen=True)
class Stager:
    """What tasks are carried out with."""

    store: Store
    nodes: Mapping[str, Node]
    """By asset key."""
    resources: AssetResources
    target: Store | None = None
    """Where files are staged; none: in their tables' folders, from where they can be committed."""
    keep: Keep | None = None
    """Where the rows of partitions go that break their contract; none: they are not kept."""
    file_bytes: int = TARGET_FILE_BYTES
    """How large the files of a large partition should be about."""
    compiled: dict[ContractKey, Contract] = field(default_factory=dict[ContractKey, Contract])
    """The contracts of the run so far."""
    fingerprints: dict[str, Mapping[str, str] | None] = field(default_factory=dict[str, Mapping[str, str] | None])
    """By asset key, of the first call that made any."""
    config: Configs = field(default_factory=dict[str, Config])

    def stage(self, task: Task) -> Outcome:
        """Carry out a task. What goes wrong is in the outcome, one sentence for each partition."""
        if task.others:
            return self._stage_together(task)
        call = Call(self.nodes[str(task.asset)], task)
        if call.stranger is not None:
            return Outcome(task, failures=dict.fromkeys(task.ordinals, call.stranger))
        if task.when is When.AFTER:
            return self._check(call)
        with handed_in(self.store, call.node.asset, task) as handed:
            return self.stage_rows(call, lambda: call_function(call, self.store, self.resources, self.config, handed))

    def _stage_together(self, task: Task) -> Outcome:
        """Carry out a task and those that share its call."""
        calls = [Call(self.nodes[str(each.asset)], each) for each in (task, *task.others)]
        stranger = next((call.stranger for call in calls if call.stranger is not None), None)
        if stranger is not None:
            outcomes = [Outcome(call.task, failures=dict.fromkeys(task.ordinals, stranger)) for call in calls]
        else:
            made = call_together(calls, self.store, self.resources, self.config)
            outcomes = [self.stage_rows(call, partial(made.output, call)) for call in calls]
        return replace(outcomes[0], others=tuple(outcomes[1:]))

    def stage_rows(self, call: Call, make: Callable[[], Produced]) -> Outcome:
        """Stage the rows that something makes as if the call's function had returned them."""
        task = call.task
        lake = self.target or self.store
        staging = Staging(lake, call.node.asset.table_name, task.run_id, task.file_number, file_bytes=self.file_bytes)
        result: Result | None = None
        names: tuple[str, ...] = ()
        try:
            hit(Step.CALL)
            made = make()
            result = guard(call, made.lf, self.compiled)
            # What is written from memory is one file, of as much as is known to be small.
            is_one_file = task.is_small and self.file_bytes >= SMALL_BYTES and not call.node.asset.signature.staging
            written = _in_memory(result, staging) if is_one_file else _streaming(result, staging)
            hit(Step.WRITTEN)
            outcome = _judge(result, staging, written, lake, self.keep, Checker(self.store, self.resources))
            hit(Step.JUDGED)
            metadata = self.resources.without_secrets(made.metadata)
            return replace(outcome, fingerprints=self._fingerprints(call, made.lf), metadata=metadata)
        except ValidationFailed as error:
            reason, may_pass_later = str(error), False
        except DeltaworksError as error:
            _LOG.debug("%s failed", call.where, exc_info=True)
            reason, may_pass_later, names = str(error), True, error_names(error.__cause__ or error)
        except Exception as error:  # noqa: BLE001 - whatever a user's plan raises belongs to this task alone
            _LOG.debug("%s failed", call.where, exc_info=True)
            refusal = disk_refusal(error)
            reason = f"{call.where}: {refusal or describe(error, call.node.asset.where.file)}"
            may_pass_later, names = True, error_names(error)
        if result is not None:
            for ordinal in task.ordinals:
                _drop(result, staging, ordinal)
        reasons = dict.fromkeys(task.ordinals, self.resources.masked(reason))
        return Outcome(task, failures=reasons, may_pass_later=may_pass_later, error_names=names)

    def _check(self, call: Call) -> Outcome:
        """Judge what is committed of a task's partitions."""
        checker = Checker(self.store, self.resources)
        checked = {
            ordinal: {
                each.check.name: checker.judge(each, ordinal, read.inputs[CONTENT], read)
                for each in call.node.checks
                if (read := reads.get(each.check.name)) is not None
            }
            for ordinal, reads in call.task.checks.items()
        }
        return Outcome(call.task, checked=checked)

    def _fingerprints(self, call: Call, lf: pl.LazyFrame) -> Mapping[str, str] | None:
        """Return what the plan makes each column of, where it can be had again without data; once an asset and run."""
        name = str(call.node.key)
        if name not in self.fingerprints:
            keys = partition_texts(call.node, call.task.first, call.task.last)
            self.fingerprints[name] = fingerprints(lf, keys) if is_rehearsable(call.node) else None
        return self.fingerprints[name]


@dataclass(frozen=True, slots=True)
class _Written:
    """Rows that lie staged, by ordinal; a partition without rows has no file."""

    measured: Mapping[int, Mapping[str, object]]
    rows_of: Callable[[int], pl.DataFrame]


def _in_memory(result: Result, staging: Staging) -> _Written:
    task = result.call.task
    assert task.first == task.last, "only a single partition is held in memory"
    ordinal = task.first
    df = result.lf.collect()
    values = result.values(ordinal)
    if df.is_empty():
        return _Written({}, lambda _: df)
    if not all(_holds_only(df[column], value) for column, value in values.items()):
        strays = df.filter(_is_stray(result, values))
        if strays.height:
            found = strays.select(*values).row(0, named=True)
            _refuse_strays(result, strays.height, {column: serialized(value) for column, value in found.items()})
    staging.write(df, values)
    return _Written({ordinal: measure(result, df.lazy(), engine="in-memory")}, lambda _: df)


def _streaming(result: Result, staging: Staging) -> _Written:
    """Write and measure in one pass, in bounded memory."""
    task, columns, places = result.call.task, result.call.node.partition_columns, result.places
    lf = result.lf
    if task.first != task.last:
        # A range call sees the union of its inputs, so its result is cut to the partitions that were asked for.
        lf = lf.filter(result.is_inside().fill_null(True))
    tally = Tally(result)
    staging.sink(tally.on(lf), columns).collect(engine="streaming")
    ordinals = {places.of_values(result.values(ordinal)): ordinal for ordinal in task.ordinals}
    written: list[dict[str, str | None]] = [dict(values) for values in staging.written]
    strays = [values for values in written if places.of_values(values) not in ordinals]
    if strays:
        rows = staging.scan(strays, result.schema).select(pl.len()).collect().item()
        for values in strays:
            staging.drop(values)
        _refuse_strays(result, rows, strays[0])
    measured = {ordinals[place]: row for place, row in _measured(result, staging, written, tally) if row[ROWS]}
    return _Written(measured, lambda ordinal: staging.scan([result.values(ordinal)], result.schema).collect())


def _measured(
    result: Result, staging: Staging, written: Sequence[Mapping[str, str | None]], tally: Tally
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Measure staged partitions, by their places: together, or each by itself where a rule raises on one of them."""
    if not written:
        return
    place_of, by_place = result.places.of_values, dict[str, Mapping[str, object]]()
    frames = [tally.measured()]
    if frames[0] is not None and tally.left:
        frames.append(_together(result, staging, written, tally.left))
    for df in frames:
        if df is None:
            yield from ((place_of(each), measure(result, staging.scan([each], result.schema))) for each in written)
            return
        for row in df.iter_rows(named=True):
            values = written[0] if len(written) == 1 else _values(result, row)
            by_place[place_of(values)] = {**by_place.get(place_of(values), {}), **row}
    yield from by_place.items()


def _together(
    result: Result, staging: Staging, written: Sequence[Mapping[str, str | None]], exprs: Sequence[pl.Expr]
) -> pl.DataFrame | None:
    """Take aggregates of staged partitions, a row for each; none: one raises."""
    columns = result.call.node.partition_columns
    lf = staging.scan(written, result.schema)
    try:
        return (lf.group_by(columns).agg(exprs) if columns else lf.select(exprs)).collect(engine="streaming")
    except pl.exceptions.PolarsError:
        _LOG.debug("%s: its partitions cannot be measured together", result.call.where, exc_info=True)
        return None


def _values(result: Result, row: Mapping[str, object]) -> dict[str, str | None]:
    return {column: serialized(row[column]) for column in result.call.node.partition_columns}


def _holds_only(column: pl.Series, value: str) -> bool:
    """Return whether a partition column surely has this value in all rows, at a tenth of what a filter costs."""
    if column.dtype.is_float() or column.has_nulls():
        return False
    least, most = column.min(), column.max()
    return least == most and serialized(least) == value


def _is_stray(result: Result, values: Mapping[str, str]) -> pl.Expr:
    """Return the claim that a row has other values than these in its partition columns."""
    is_elsewhere = pl.lit(False)
    for column, value in values.items():
        dtype = result.schema[column]
        wanted = pl.lit(typed(pl.Series([value]), dtype).item(), dtype)
        is_elsewhere = is_elsewhere | pl.col(column).ne_missing(wanted)
    return is_elsewhere


def _refuse_strays(result: Result, strays: int, found: Mapping[str, str | None]) -> None:
    call = result.call
    wanted = result.values(call.task.first), result.values(call.task.last)
    column = next((name for name in found if found[name] not in (wanted[0][name], wanted[1][name])), next(iter(found)))
    expected = " to ".join(dict.fromkeys(values[column] for values in wanted))
    lies, its, whose = ("row lies", "its", "") if strays == 1 else ("rows lie", "their", " in one of them")
    raise RunError(
        f"{call.where}: {strays} {lies} outside the requested partition by {its} {column!r}, which is "
        f"{found[column] or 'null'}{whose}, expected {expected}; filter the result, for example by "
        f"{_filter(call.node, column)}"
    )


def _filter(node: Node, column: str) -> str:
    """Return what an author may write to keep the rows of the call by a partition column, computed or not."""
    place = node.partition_columns.index(column)
    expression = node.asset.partition_columns[place].expression
    dimension = f".dimension({node.dimension_names[place]!r})" if node.dimension_names else ""
    return f"partition{dimension}.contains({repr(column) if expression is None else expression})"


@dataclass(frozen=True, slots=True)
class _Refused:
    """A partition that may not be committed."""

    reason: str
    broken: Broken


def _judge(
    result: Result, staging: Staging, written: _Written, lake: Store, keep: Keep | None, checker: Checker
) -> Outcome:
    task = result.call.task
    staged: list[StagedOutcome] = []
    refused: dict[int, _Refused] = {}
    staging.weigh(map(result.values, written.measured))
    for ordinal in task.ordinals:
        judged = _judge_one(result, staging, ordinal, written, lake, keep)
        if isinstance(judged, StagedOutcome):
            judged = _judge_by_checks(result, judged, checker, keep)
        if isinstance(judged, _Refused):
            _drop(result, staging, ordinal)
            refused[ordinal] = judged
        else:
            staged.append(judged)
    reasons = {ordinal: each.reason for ordinal, each in refused.items()}
    return Outcome(task, tuple(staged), result.schema, reasons, {place: each.broken for place, each in refused.items()})


def _judge_one(
    result: Result, staging: Staging, ordinal: int, written: _Written, lake: Store, keep: Keep | None
) -> StagedOutcome | _Refused:
    node, contract, values = result.call.node, result.contract, result.values(ordinal)
    key, measured = node.partitions.key(ordinal), written.measured.get(ordinal)
    if measured is None:
        verdict = contract.judge_no_rows()
        if not verdict.ok:
            rules = tuple(BrokenRule(each, 0) for each in (*verdict.failed, *verdict.warned))
            return _Refused(_reason(node, key, verdict.failed), Broken(rules, Kept(None)))
        staging.drop(values)
        return StagedOutcome(ordinal, StagedPartition(key, values, 0, ()), verdict.passed, verdict.warned)
    residual = contract.judge_residual(written.rows_of(ordinal)) if contract.residual else ()
    verdict = on_all = contract.judge(measured, residual or None)
    rejects: RejectsFile | None = None
    left_out = LeftOut()
    left: pl.LazyFrame | None = None
    taken_out: tuple[RuleResult, ...] = ()
    if verdict.taken_out:
        taken_out = contract.samples(staging.scan([values], result.schema), verdict.taken_out)
        sifted = sift(result, staging, ordinal, verdict, residual, lake)
        verdict, measured, rejects, left = sifted.verdict, sifted.measured, sifted.rejects, sifted.left
        left_out = sifted.left_out
    if not verdict.ok:
        judged = staging.scan([values], result.schema) if left is None else left
        reason = _reason(node, key, contract.samples(judged, verdict.failed))
        others = (*on_all.taken_out, *(on_all.warned if left is None else ()))
        return _Refused(reason, look_into(result, staging, ordinal, judged, verdict, others, keep))
    if left is not None:
        staging.drop(values)
        staging = staging.sifted
    files: tuple[StagedFile, ...] = ()
    if verdict.rows:
        files = staging.staged_files(values, measured, verdict.rows, stored_schema(result))
    else:
        staging.drop(values)
    partition = StagedPartition(key, values, verdict.rows, files, rejects)
    return StagedOutcome(ordinal, partition, verdict.passed, (*taken_out, *verdict.warned), left_out)


def _judge_by_checks(
    result: Result, staged: StagedOutcome, checker: Checker, keep: Keep | None
) -> StagedOutcome | _Refused:
    """Call the checks of a partition that kept its contract, but for those that hang on what comes before it."""
    node, ordinal, partition = result.call.node, staged.ordinal, staged.partition
    reads = result.call.task.checks.get(ordinal, {})
    checks = [each for each in node.checks if each.check.name in reads and not each.goes_by_order]
    if not checks:
        return staged
    judged = staged_pin(node, partition, result.schema)
    made = {each.check.name: checker.judge(each, ordinal, judged, reads[each.check.name]) for each in checks}
    refused = refusals_of(made)
    if not refused:
        return staged.with_checks(made)
    if partition.rejects is not None:
        drop_rejects(checker.store, partition.rejects)
    others = (each.result for each in made.values() if each.result is not None and each.result not in refused)
    rules = tuple(BrokenRule(each, partition.rows) for each in (*refused, *others))
    lf = scan_files(checker.store, judged.table, judged.files, result.schema, node.partition_columns)
    size_bytes = sum(file.size_bytes for file in judged.files)
    broken = keep_broken(result.call, ordinal, lf, size_bytes, rules, keep if partition.rows else None)
    return _Refused(_reason(node, partition.key, refused), broken)


def _reason(node: Node, key: str, results: Sequence[RuleResult]) -> str:
    """Return the sentence that forbids a commit."""
    return f"{f'{node.key} {key}'.rstrip()}: {'; '.join(map(str, results))}. Nothing was committed for it."


def _drop(result: Result, staging: Staging, ordinal: int) -> None:
    """Delete whatever files a partition that failed has."""
    for each in (staging, staging.sifted):
        each.drop(result.values(ordinal))
