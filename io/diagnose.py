"""Diagnose: what is wrong with a lake, and what repairs it.

Nothing is written here: a lake that can only be read is diagnosed like any other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from deltaworks.io.claim import stale_claims
from deltaworks.io.create import PROPERTIES
from deltaworks.io.damage import DamagedCommit, Inspection, data_damage
from deltaworks.io.doubled import find_doubled
from deltaworks.io.index import index_paths, index_problem
from deltaworks.io.ledger import find_damaged_runs
from deltaworks.io.lifetimes import read_lifetimes
from deltaworks.io.log import commit_path
from deltaworks.io.places import WHOLE
from deltaworks.io.record import FORMAT
from deltaworks.io.rejects import current_rejects
from deltaworks.io.scattered import Layout, compaction_demand, find_scattered
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.sweep import Runs, find_candidates, leftovers, own_temporaries, stray_rejects
from deltaworks.io.together import sizes_of

SWEPT_AFTER = dt.timedelta(days=7)
"""How old leftovers are when `maintain` takes them, unless it is told otherwise."""

MANY_FILES = 50
"""How many files too many a table must have before that is a problem."""

STRANDED_AFTER = dt.timedelta(hours=1)
"""How long nothing was written to a folder without a log before that is a problem; a run commits every few seconds."""

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong."""

    kind: str
    """A word for programs."""
    asset: str | None
    """None: it concerns no single table."""
    message: str
    repair: str
    """What to do about it."""
    deletes: tuple[str, ...] = ()
    """Files of the lake whose deletion is the repair, where that loses nothing that could still be read."""


@dataclass(frozen=True)
class Subject:
    """A table that is diagnosed, and what its asset says about it."""

    asset: str
    inspection: Inspection
    is_defined: Callable[[str], bool]
    """Whether a partition key is one of the asset's."""
    read_at: int = -1
    """The latest version that a record of another table names: what was read of it cannot just be undone."""
    is_made: bool = True
    """Whether the table is written by this engine; others care for theirs."""


def log_problems(subject: Subject) -> Iterator[Problem]:
    """Yield what is wrong with a table's log, commits and checkpoints."""
    found, asset = subject.inspection, subject.asset
    store = found.table.store
    for damaged in found.commits:
        kind = "log_gap" if damaged.problem.startswith("is absent") else "damaged_commit"
        message = f"version {damaged.version} of its log {damaged.problem}"
        yield Problem(kind, asset, message, _commit_repair(subject, damaged))
    for checkpoint in found.checkpoints:
        files = " and ".join(map(store.uri, checkpoint.paths))
        complete, deletes = f"delete {files}; nothing is lost, since the commits are complete", checkpoint.paths
        if found.commits:
            complete, deletes = f"restore {files} from a backup: the commits are not complete either", ()
        message = f"{store.uri(checkpoint.paths[0])} {checkpoint.problem}"
        yield Problem("damaged_checkpoint", asset, message, complete, deletes)


def table_problems(subject: Subject, runs: Runs, now: dt.datetime) -> Iterator[Problem]:
    """Yield what is wrong with a table whose log can be read."""
    table, asset = subject.inspection.table, subject.asset
    if table.metadata is None:
        yield from _no_log(subject, now)
        return
    yield from _newer_format(subject)
    yield from _missing_files(subject)
    yield from _doubled(subject)
    yield from _missing_rejects(subject)
    changed = {
        name: table.metadata.configuration.get(name, "not set")
        for name, wanted in PROPERTIES.items()
        if table.metadata.configuration.get(name) != wanted
    }
    if changed:
        told = " and ".join(f"{name} is {value!r} instead of {PROPERTIES[name]!r}" for name, value in changed.items())
        message = f"its property {told}, so others may delete the commits, which are the record"
        yield Problem("changed_properties", asset, message, f"`deltaworks adopt {asset}`")
    yield from _small_files(subject)
    before = now - SWEPT_AFTER
    left = leftovers(table.store, table.name, find_candidates(table.store, table.name, before), runs)
    left += stray_rejects(table.store, table.name, asset, before, runs)
    if left and subject.is_made:
        size_bytes = sum(file.size_bytes for file in left)
        message = f"{_files(left)} ({size_bytes:,} bytes) of it, left behind by runs that have ended"
        yield Problem("leftovers", asset, message, f"`deltaworks maintain {asset}`")
    beyond = sorted(key for key in table.live_keys() if not subject.is_defined(key))
    if beyond:
        message = f"it holds {_some(beyond)}, which its definition does not have, so nobody keeps them up to date"
        named = "".join(f" --partition {key}" for key in beyond[: 2 * _SHOWN])
        repair = f"widen the asset's partitions, or delete those rows: `deltaworks wipe {asset}{named}`"
        yield Problem("beyond_definition", asset, message, repair)
    wrong = index_problem(table)
    if wrong is not None:
        repair, message = "`deltaworks doctor --rebuild-index`", f"its index {wrong}; it is left aside"
        yield Problem("damaged_index", asset, message, repair, index_paths(table.name))


def lost_pin(asset: str, upstream: str, keys: Sequence[str], versions: Sequence[int], paths: Sequence[str]) -> Problem:
    """Return the problem that partitions were made from versions of an upstream that cannot be read any more."""
    more = f" and {len(versions) - _SHOWN} more" if len(versions) > _SHOWN else ""
    read = f"version{'' if len(versions) == 1 else 's'} {', '.join(map(str, versions[:_SHOWN]))}{more} of {upstream}"
    others = f", and {len(paths) - 1} more are not there" if len(paths) > 1 else ""
    whose = f"{_some(keys)} of it was" if len(keys) == 1 else f"{_some(keys)} of it were"
    message = (
        f"{'it was' if _is_whole(keys) else whose} made from {read}, whose data file {paths[0]} is not there{others}, "
        "as after a vacuum: `rerun --verify` of that is not possible"
    )
    return Problem("missing_pinned_files", asset, message, f"{_remake(asset, keys)}, or restore it from a backup")


def ledger_problems(store: Store) -> Iterator[Problem]:
    """Yield the entries of the ledger that cannot be read."""
    for path, error in find_damaged_runs(store):
        message = str(error).partition(";")[0]
        whose = "the history of the runs in it" if path.endswith(".parquet") else "that run's history"
        yield Problem("damaged_ledger", None, message, f"delete {store.uri(path)}; only {whose} is lost", (path,))


def claim_problems(store: Store, now: dt.datetime) -> Iterator[Problem]:
    """Yield the claims that somebody died with, or is likely to have."""
    for stale in stale_claims(store, now):
        path = store.uri(stale.path)
        message = f"claim {path} was left behind by {stale.holder}"
        repair = f"delete {path}, or let the next `deltaworks maintain` take it over"
        if not stale.is_dead:
            message = f"claim {path} has been held by {stale.holder} since {stale.claimed_at:%Y-%m-%d %H:%M} UTC"
            repair = f"if that process is gone, delete {path}"
        yield Problem("stale_claim", None, message, repair, (stale.path,) if stale.is_dead else ())


def own_problems(store: Store, now: dt.datetime) -> Iterator[Problem]:
    """Yield what lies around beside the tables."""
    left = own_temporaries(store, now - SWEPT_AFTER)
    if left:
        message = f"{_files(left)} below {store.uri(ENGINE_FOLDER)}, left half-written by writers that died"
        yield Problem("leftovers", None, message, "`deltaworks maintain`")


def repair(store: Store, problems: Iterable[Problem]) -> list[Problem]:
    """Do the repairs that only delete what is no use to anybody, and return the problems that were repaired.

    Raises:
        StorageError: the lake cannot be written.
    """
    done = [problem for problem in problems if problem.deletes]
    for path in (path for problem in done for path in problem.deletes):
        store.delete(path)
    return done


def _no_log(subject: Subject, now: dt.datetime) -> Iterator[Problem]:
    """Find files of a table that has no log, unless somebody may be about to make it."""
    table, asset = subject.inspection.table, subject.asset
    files = list(table.store.files(table.name))
    if not files or max(file.modified_at for file in files) > now - STRANDED_AFTER:
        return
    data = sum(file.name.endswith(".parquet") for file in files)
    message = f"{table.store.uri(table.name)} holds {_files(files)}, {data} of them of data, and no commit"
    repair = (
        f"`deltaworks backfill {asset}` makes the table, as after a run that was killed before its first commit; if "
        "there was one, restore its _delta_log from a backup first"
    )
    yield Problem("no_log", asset, message, repair)


def _newer_format(subject: Subject) -> Iterator[Problem]:
    table = subject.inspection.table
    if table.needs_format > FORMAT:
        message = f"a newer deltaworks wrote to it, in record format {table.needs_format}, and this one knows {FORMAT}"
        yield Problem("newer_format", subject.asset, f"{message}: it is read and not written", "upgrade deltaworks")


def _doubled(subject: Subject) -> Iterator[Problem]:
    """Find partitions to which others appended what they held already, which no log tells."""
    doubled = list(find_doubled(subject.inspection.table)) if subject.is_made else []
    if doubled:
        keys, rows = sorted(each.key for each in doubled), sum(each.rows for each in doubled)
        versions = sorted({each.version for each in doubled})
        which = f"version{'' if len(versions) == 1 else 's'} {', '.join(map(str, versions[:_SHOWN]))}"
        message = (
            f"others appended {_counted(rows, 'row')} to {_some(keys)} at {which}, all of which were there already"
        )
        yield Problem("doubled_rows", subject.asset, message, _remake(subject.asset, keys))


def _small_files(subject: Subject) -> Iterator[Problem]:
    table, asset, layout = subject.inspection.table, subject.asset, Layout()
    small = sum(file.size_bytes < layout.target_bytes / 2 for _, file in table.live_files())
    if not subject.is_made or small < MANY_FILES or compaction_demand(table) is not None:
        return
    scattered = find_scattered(table, read_lifetimes(table.store, table.name), layout)
    files, after = sum(part.files for part in scattered), sum(len(part.groups) for part in scattered)
    if files - after >= MANY_FILES:
        message = f"{files:,} small data files of it could be {after:,}, so it is slower to read than it need be"
        yield Problem("small_files", asset, message, f"`deltaworks maintain {asset}`")


def _missing_files(subject: Subject) -> Iterator[Problem]:
    table, asset = subject.inspection.table, subject.asset
    damaged = list(data_damage(table))
    if not damaged:
        return
    _, path, what = damaged[0]
    keys = sorted({key for key, _, _ in damaged})
    whose = "" if _is_whole(keys) else f" of {_some(keys)}"
    more = f", and {len(damaged) - 1} more are damaged" if len(damaged) > 1 else ""
    ours = [key for key in keys if subject.is_defined(key)]
    repairs = [_remake(asset, ours)] if ours else []
    if len(ours) < len(keys):
        repairs.append("restore the files of the partitions beyond the definition from a backup")
    yield Problem(
        "missing_files", asset, f"data file {path}{whose} {what}{more}", ", or restore it from a backup; ".join(repairs)
    )


def _missing_rejects(subject: Subject) -> Iterator[Problem]:
    table, asset = subject.inspection.table, subject.asset
    rejects = list(current_rejects(table))
    sizes = sizes_of(table.store, (each.file.path for each in rejects))
    gone = [each for each, size_bytes in zip(rejects, sizes, strict=True) if size_bytes is None]
    if gone:
        keys = sorted(each.key for each in gone)
        message = f"{gone[0].file.path}, which its log names, is not there: rows that were left out of {_some(keys)}"
        more = "" if len(gone) == 1 else f", and {len(gone) - 1} more files"
        yield Problem("missing_rejects", asset, message + more, f"restore it from a backup, or {_remake(asset, keys)}")


def _remake(asset: str, keys: Sequence[str]) -> str:
    if _is_whole(keys):
        return f"`deltaworks materialize {asset}`"
    if len(keys) <= 2 * _SHOWN:
        return f"`deltaworks materialize {asset}{''.join(f' --partition {key}' for key in keys)}`"
    return f"`deltaworks backfill {asset} --only all --from {keys[0]} --to {keys[-1]}`"


def _commit_repair(subject: Subject, damaged: DamagedCommit) -> str:
    found = subject.inspection
    path = found.table.store.uri(commit_path(found.table.name, damaged.version))
    if damaged.version == found.last and damaged.version > max(subject.read_at, found.last_checkpoint):
        return f"restore {path} from a backup; or delete it, and `deltaworks backfill` makes again what it held"
    return _restore(subject, path)


def _restore(subject: Subject, path: str) -> str:
    table = subject.inspection.table
    return (
        f"restore {path} from a backup; or move {table.store.uri(table.name)} away, and `deltaworks backfill "
        f"{subject.asset}+` makes the table anew"
    )


def _files(files: Collection[object]) -> str:
    return _counted(len(files), "file")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _is_whole(keys: Sequence[str]) -> bool:
    return len(keys) == 1 and keys[0] == WHOLE


def _some(keys: Collection[str]) -> str:
    shown = ", ".join(key or "the whole table" for key in list(keys)[:_SHOWN])
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"{'partition' if len(keys) == 1 else 'partitions'} {shown}{more}"
