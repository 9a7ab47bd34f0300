"""Upkeep: keep the tables of a lake small and quick to read, without changing what any of them says.

Each table is cared for by itself: what one of them does not allow stops none of the others.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from deltaworks.engine.execution.batch import ENGINE
from deltaworks.engine.execution.described import description_of
from deltaworks.engine.execution.entry import new_run_id
from deltaworks.engine.execution.needs import Needs, find_needs
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.errors import RequestError, StorageError, TableMismatch
from deltaworks.io.attempts import FOLDER as ATTEMPTS
from deltaworks.io.checkpoint import checkpoint_if_due, checkpoint_is_due
from deltaworks.io.claim import claimed
from deltaworks.io.compact import Compaction, compact
from deltaworks.io.description import describe, is_described
from deltaworks.io.folding import find_foldable, fold_runs
from deltaworks.io.handed_in import drop_folders_of_calls, stray_handed_in
from deltaworks.io.index import load_table
from deltaworks.io.kept import KEPT_FOR, find_old_kept
from deltaworks.io.ledger import read_runs
from deltaworks.io.lifetimes import Lifetimes, read_lifetimes
from deltaworks.io.record import Kind, Record
from deltaworks.io.run_keys import find_foldable_keys, fold_keys
from deltaworks.io.run_logs import find_old_logs
from deltaworks.io.run_plan import FOLDER as RUN_PLANS
from deltaworks.io.run_plan import KEPT_FOR as RUN_KEPT_FOR
from deltaworks.io.scattered import Layout, Scattered, compaction_demand, find_scattered
from deltaworks.io.silence import CLOCK_FOLDER
from deltaworks.io.step_records import find_old_steps
from deltaworks.io.stop_request import FOLDER as STOP_REQUESTS
from deltaworks.io.store import Store
from deltaworks.io.stores.stored_file import StoredFile
from deltaworks.io.sweep import Runs, find_candidates, leftovers, own_temporaries, stray_rejects
from deltaworks.io.table import Table
from deltaworks.io.tick_history import drop_folders_of_ticks, find_old_claims, find_old_heartbeats, find_old_ticks
from deltaworks.io.vacuum import expired, unreadable_versions
from deltaworks.io.z_order import z_order_problem

CLAIM = "maintain"
"""Held by whoever deletes files or brings deleted ones back."""

_OF_RUNS = (RUN_PLANS, ATTEMPTS, STOP_REQUESTS, CLOCK_FOLDER)
"""Folders of what is no use when its run is long ago, or died before it could delete it."""

RETENTION = dt.timedelta(days=30)
"""How long data files stay that a table has no longer, unless its asset or the caller says otherwise."""


@dataclass(frozen=True, slots=True)
class Care:
    """How a lake is to be cared for."""

    older_than: dt.timedelta = KEPT_FOR
    """The age of leftovers and of kept rows; a run must commit what it staged within that time, or stage it again."""
    retention: dt.timedelta | None = None
    """How long data files stay that a table has no longer; none: as each asset says."""
    fold_after: dt.timedelta = dt.timedelta(days=7)
    """The age of the days whose runs are folded."""
    layout: Layout = field(default_factory=Layout)
    """How rows are to lie in files."""

    def retention_of(self, node: Node) -> dt.timedelta:
        """Return how long an asset's table keeps data files that it has no longer."""
        if self.retention is not None:
            return self.retention
        days = node.asset.retention_days
        return RETENTION if days is None else dt.timedelta(days=days)


@dataclass(frozen=True, slots=True)
class TableUpkeep:
    """What was done, or would be, for one table."""

    node: Node | None
    """None: the engine's own folder."""
    removed: tuple[StoredFile, ...] = ()
    """Leftovers."""
    vacuumed: tuple[StoredFile, ...] = ()
    """Data files that nothing needed any more."""
    compacted: Compaction = field(default_factory=Compaction)
    unreadable: tuple[tuple[int, int], ...] = ()
    """The earlier versions, as ranges, that cannot be read whole any more: by this vacuum, and by those before it."""
    described: bool = False
    """Whether the table did not say what its definition says."""
    checkpoint: bool = False
    """Whether a checkpoint was due."""
    left_alone: str | None = None
    """Why some of it is not done for this table, though nothing is wrong."""
    problem: str | None = None
    """Why nothing, or not all of it, could be done."""

    @property
    def freed_bytes(self) -> int:
        """How much room was freed."""
        return sum(file.size_bytes for file in (*self.removed, *self.vacuumed))

    @property
    def did_anything(self) -> bool:
        """Whether there was anything to do."""
        done = self.removed, self.vacuumed, self.compacted.partitions, self.described, self.checkpoint
        return any(done)


@dataclass(frozen=True, slots=True)
class UpkeepReport:
    """What was done in a lake, or would be."""

    tables: tuple[TableUpkeep, ...]
    folded_runs: int = 0
    """How many entries of the ledger were folded."""
    folded_keys: int = 0
    """How many run keys of schedules and sensors were."""
    taken_over_from: str | None = None
    """Who died while doing the same and left the claim behind."""


@dataclass(frozen=True, slots=True)
class _Due:
    """What is to be done for one table."""

    node: Node
    table: Table
    leftovers: tuple[StoredFile, ...]
    vacuumed: tuple[StoredFile, ...] = ()
    unreadable: tuple[tuple[int, int], ...] = ()
    scattered: tuple[Scattered, ...] = ()
    is_described: bool = True
    checkpoint: bool = False
    left_alone: str | None = None


def maintain(
    graph: AssetGraph, store: Store, nodes: Sequence[Node], care: Care, now: Callable[[], dt.datetime]
) -> UpkeepReport:
    """Care for the tables of some assets, and for the ledger.

    Args:
        graph: all assets: what they were made from is not deleted.
        store: the lake.
        nodes: the assets.
        care: what is to be done.
        now: the clock, for what commits say of themselves; ages are told by the store's own clock.

    Raises:
        RequestError: the columns of a z-order are none.
        ClaimHeld: somebody else is at it.
        StorageError: the lake cannot be written, or an entry of the ledger cannot be read.
    """
    if not store.has_folder(""):
        return UpkeepReport(tuple(TableUpkeep(node) for node in nodes))
    _refuse_z_order(store, nodes, care.layout.z_order)
    with claimed(store, CLAIM, "deltaworks maintain") as claim:
        at = now()
        record = Record(new_run_id(at), "", ENGINE, at.isoformat(), (), {}, Kind.MAINTAIN)
        tables = tuple(
            _done(store, each, care, record) if isinstance(each, _Due) else each
            for each in _find(graph, store, nodes, care, claim.claimed_at)
        )
        own = _own_leftovers(store, care, claim.claimed_at)
        for file in own.removed:
            store.delete(file.path)
        drop_folders_of_ticks(store, own.removed)
        keys = find_foldable_keys(store, _long_ago(care, claim.claimed_at))
        fold_keys(store, keys)
        foldable = find_foldable(store, _first_day_kept(care, claim.claimed_at))
        fold_runs(store, foldable)
    cared = (*tables, *([own] if own.removed else []))
    return UpkeepReport(cared, len(foldable), sum(map(len, keys.values())), claim.taken_over_from)


def find_upkeep(graph: AssetGraph, store: Store, nodes: Sequence[Node], care: Care, now: dt.datetime) -> UpkeepReport:
    """Return what `maintain` would do if the store's clock said `now`; nothing is written.

    Raises:
        RequestError: the columns of a z-order are none.
        StorageError: the lake or an entry of its ledger cannot be read.
    """
    _refuse_z_order(store, nodes, care.layout.z_order)
    tables = tuple(_told(each) if isinstance(each, _Due) else each for each in _find(graph, store, nodes, care, now))
    own = _own_leftovers(store, care, now)
    folded_runs = len(find_foldable(store, _first_day_kept(care, now)))
    folded_keys = sum(map(len, find_foldable_keys(store, _long_ago(care, now)).values()))
    return UpkeepReport((*tables, *([own] if own.removed else [])), folded_runs, folded_keys)


def _long_ago(care: Care, now: dt.datetime) -> dt.datetime:
    """Return before when the history of runs and ticks is swept."""
    return now - max(RUN_KEPT_FOR, care.older_than)


def _first_day_kept(care: Care, now: dt.datetime) -> dt.date:
    return (now - care.fold_after).date() + dt.timedelta(days=1)


def _refuse_z_order(store: Store, nodes: Sequence[Node], columns: Sequence[str]) -> None:
    if not columns:
        return
    if len(nodes) != 1:
        raise RequestError(f"A z-order is by columns of one table, and {len(nodes)} assets are selected; name one.")
    (node,) = nodes
    table = load_table(store, node.asset.table_name)
    if not table.exists:
        raise RequestError(f"There is no table {table.name!r} in lake {store.uri('')} yet, so it has no files to sort.")
    problem = z_order_problem(columns, table.schema(), node.partition_columns)
    if problem is not None:
        raise RequestError(f"{node.key} cannot be z-ordered by {', '.join(columns)}: {problem}.")


def _find(
    graph: AssetGraph, store: Store, nodes: Sequence[Node], care: Care, now: dt.datetime
) -> Iterator[_Due | TableUpkeep]:
    """Yield what is to be done for each table, when it is its turn, or why nothing is."""
    # Files first, then the ledger, then the logs: whatever is committed meanwhile is seen in time.
    before = now - care.older_than
    ours = [node for node in nodes if node.asset.kind.is_written]
    candidates = {node.key: find_candidates(store, node.asset.table_name, before) for node in ours}
    runs = Runs.of(read_runs(store), now)
    needs = find_needs(graph, store, runs)
    for node in nodes:
        if not node.asset.kind.is_written:
            yield TableUpkeep(node, left_alone="others write this table, so it is theirs to care for")
            continue
        try:
            table = load_table(store, node.asset.table_name)
            rejects = stray_rejects(store, table.name, str(node.key), before, runs)
            handed_in = stray_handed_in(store, str(node.key), before, runs)
            left = (*leftovers(store, table.name, candidates[node.key], runs), *rejects, *handed_in)
            yield _due(_Due(node, table, left), care, needs, now) if table.exists else _Due(node, table, left)
        except StorageError as error:
            yield TableUpkeep(node, problem=str(error))


def _due(due: _Due, care: Care, needs: Needs, now: dt.datetime) -> _Due:
    node, table = due.node, due.table
    demand = compaction_demand(table)
    if demand is not None:
        return replace(due, left_alone=demand, checkpoint=checkpoint_is_due(table))
    lifetimes = read_lifetimes(table.store, table.name)
    there = {file.path: file for file in table.store.files(table.name)}
    vacuumed, left_alone = _vacuumed(due, lifetimes, there, needs, now - care.retention_of(node))
    return replace(
        due,
        vacuumed=vacuumed,
        unreadable=unreadable_versions(table.name, lifetimes, there.keys() - {file.path for file in vacuumed}),
        scattered=tuple(find_scattered(table, lifetimes, care.layout)),
        is_described=is_described(table, description_of(node)),
        checkpoint=checkpoint_is_due(table),
        left_alone=left_alone,
    )


def _vacuumed(
    due: _Due, lifetimes: Lifetimes, there: Mapping[str, StoredFile], needs: Needs, removed_since: dt.datetime
) -> tuple[tuple[StoredFile, ...], str | None]:
    """Return which data files may go, or why none may."""
    unknown = needs.unknown_of(due.node.key)
    if unknown is not None:
        return (), f"nothing is vacuumed, since nobody can say what was made from it: {unknown}"
    kept = needs.kept(due.table, removed_since)
    return tuple(expired(due.table.name, lifetimes, there, kept)), None


def _own_leftovers(store: Store, care: Care, now: dt.datetime) -> TableUpkeep:
    before = now - care.older_than
    own = own_temporaries(store, before)
    long_ago = _long_ago(care, now)
    of_runs = (file for folder in _OF_RUNS for file in store.files(folder) if file.modified_at < long_ago)
    recorded = (*find_old_logs(store, long_ago), *find_old_steps(store, long_ago))
    of_ticks = (
        *find_old_ticks(store, long_ago),
        *find_old_claims(store, long_ago),
        *find_old_heartbeats(store, long_ago),
    )
    return TableUpkeep(None, (*own, *find_old_kept(store, before), *recorded, *of_runs, *of_ticks))


def _told(due: _Due) -> TableUpkeep:
    """Return what would be done; how large the rewritten files will be is not known yet."""
    size_bytes = sum(part.size_bytes for part in due.scattered)
    return TableUpkeep(
        due.node,
        due.leftovers,
        due.vacuumed,
        Compaction(
            len(due.scattered),
            sum(part.files for part in due.scattered),
            sum(len(part.groups) for part in due.scattered),
            size_bytes,
            size_bytes,
        ),
        unreadable=due.unreadable,
        described=not due.is_described,
        checkpoint=due.checkpoint,
        left_alone=due.left_alone,
    )


def _done(store: Store, due: _Due, care: Care, record: Record) -> TableUpkeep:
    """Do what is due, as far as it can be done."""
    done = TableUpkeep(due.node, left_alone=due.left_alone)
    try:
        for each in _steps(store, due, care, replace(record, asset=str(due.node.key)), done):
            done = each
    except StorageError as error:
        return replace(done, problem=str(error))
    return done


def _steps(store: Store, due: _Due, care: Care, record: Record, done: TableUpkeep) -> Iterator[TableUpkeep]:
    """Do one thing after the other, and yield what has been done after each."""
    table = due.table
    now_ms = int(dt.datetime.fromisoformat(record.started_at).timestamp() * 1000)
    if not due.is_described:
        described = describe(table, description_of(due.node), record, _verify, now_ms)
        done = replace(done, described=described)
        yield done
    for compacted in compact(table, due.scattered, care.layout, record, now_ms):
        done = replace(done, compacted=compacted)
        yield done
    for file in due.vacuumed:
        store.delete(file.path)
        done = replace(done, vacuumed=(*done.vacuumed, file))
        yield done
    done = replace(done, unreadable=due.unreadable)
    yield done
    for file in due.leftovers:
        store.delete(file.path)
        done = replace(done, removed=(*done.removed, file))
        yield done
    drop_folders_of_calls(store, str(due.node.key), due.leftovers)
    if due.checkpoint:
        yield replace(done, checkpoint=checkpoint_if_due(load_table(store, table.name)))


def _verify(table: Table) -> None:
    demand = compaction_demand(table)
    if demand is not None:
        raise TableMismatch(f"table {table.name}: {demand}")
