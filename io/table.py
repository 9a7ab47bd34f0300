"""Table: a Delta table as its commit log tells it.

It starts empty, or where an index has left off, and is advanced by reading commits; nothing else is consulted. What it
answers: which partitions there are, by whom and at which version each was last changed, and which files hold them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

import polars as pl

from deltaworks.errors import LogGap, StorageError, TableMismatch, VersionGone
from deltaworks.io.baseline import Baseline, find_baseline
from deltaworks.io.external import External
from deltaworks.io.live_files import LiveFiles
from deltaworks.io.log import Commit, LiveFile, Metadata, commit_path, digest, tail
from deltaworks.io.materialization import Materialization
from deltaworks.io.places import WHOLE, Places
from deltaworks.io.protocol import Protocol, reader_demand
from deltaworks.io.record import FORMAT, Kind
from deltaworks.io.store import Store
from deltaworks.io.stores.stored_file import StoredFile
from deltaworks.io.table_state import PARTITION_SCHEMA, Origin, TableState, materialization_of, narrowed, origin_of
from deltaworks.io.writer import UNTOLD, Writer

_NEVER = (-1, Origin.GONE)
"""The version and origin of a partition that no commit changed."""

_NOTHING = pl.DataFrame(schema=PARTITION_SCHEMA)


def _no_sizes() -> pl.DataFrame | None:
    return None


class Table:
    """The state of one table at one version. Advance it with `tail`; it never goes back."""

    def __init__(self, store: Store, name: str, external: External | None = None) -> None:
        self.store, self.name, self.external = store, name, external
        self.version = -1
        """The latest version seen; -1: there is no table."""
        self.metadata: Metadata | None = None
        self.protocol: Protocol | None = None
        self.materializations: list[Materialization] = []
        self.writers: dict[int, Writer] = {}
        """By version."""
        self.largest_file_bytes = 0
        """The size of the largest data file that a commit has added."""
        self.needs_format = FORMAT
        """The newest record format that one of its records asks its writers for."""
        self.read_bytes = 0
        """How much log was read to get here; a table that comes from an index starts at 0."""
        self.is_indexed = False
        """Whether there is an index that spares those who come next the beginning of its log."""
        self._digest, self._stamp = b"", ""
        self._places = Places(is_whole=external is not None and external.is_whole)
        self._load_files: Callable[[], LiveFiles] = LiveFiles
        self._load_sizes: Callable[[], pl.DataFrame | None] = _no_sizes
        self._live: LiveFiles | None = LiveFiles()
        """None: not loaded, and behind by the waiting commits."""
        self._waiting: list[Commit] = []
        self._known = _NOTHING
        self._changes: dict[str, list[object]] = {column: [] for column in PARTITION_SCHEMA}

    @classmethod
    def read(cls, store: Store, name: str, version: int | None = None, external: External | None = None) -> Table:
        """Read a table's log from its beginning, to its end or to one version.

        That of a table that others write may begin with a checkpoint; all that it names was changed at its version.

        Raises:
            VersionGone: the log ends before `version`, or does not reach back to it.
            LogGap: a commit is missing or damaged.
        """
        table = cls(store, name, external)
        baseline = None if external is None else find_baseline(store, name, up_to=version)
        if baseline is not None:
            table.skip_to(baseline)
        table.follow(version)
        if version is not None and table.version < version:
            raise VersionGone(table.title, version, table.version)
        return table

    @classmethod
    def restore(
        cls,
        store: Store,
        name: str,
        state: TableState,
        load_files: Callable[[], LiveFiles],
        external: External | None = None,
        load_sizes: Callable[[], pl.DataFrame | None] = _no_sizes,
    ) -> Table:
        """Return a table as it was kept; `load_files` is called once, when files are first asked for.

        `load_sizes` returns what `sizes` does, without them; none: it cannot.
        """
        table = cls(store, name, external)
        table.version, table._digest, table._stamp = state.version, state.digest, state.stamp
        table.protocol = state.protocol
        table._describe(state.metadata)
        table.materializations, table.writers = list(state.materializations), dict(state.writers)
        table.largest_file_bytes, table.needs_format = state.largest_file_bytes, state.needs_format
        table._load_files, table._load_sizes, table._live = load_files, load_sizes, None
        table._known, table.is_indexed = state.partitions, True
        return table

    def state(self) -> TableState:
        """Return what is known, without files and without what no partition names any more."""
        assert self.metadata is not None, "a table that exists has metadata"
        assert self.protocol is not None, "a table that exists has a protocol"
        partitions = self.partitions().cast(PARTITION_SCHEMA)
        named = partitions["materialization"].unique().drop_nulls().sort()
        if named.len() < len(self.materializations):
            numbers = pl.DataFrame(
                {"materialization": named, "number": pl.int_range(named.len(), dtype=pl.UInt32, eager=True)}
            )
            joined = partitions.join(numbers, on="materialization", how="left", maintain_order="left")
            partitions = joined.with_columns(materialization="number").select(PARTITION_SCHEMA.names())
        versions: list[int] = partitions["version"].unique().to_list()
        indices: list[int] = named.to_list()
        return TableState(
            version=self.version,
            digest=self._digest,
            stamp=self._stamp if self.is_same() else "",
            metadata=self.metadata,
            protocol=self.protocol,
            needs_format=self.needs_format,
            largest_file_bytes=self.largest_file_bytes,
            partitions=partitions,
            materializations=tuple(self.materializations[index] for index in indices),
            writers={version: self.writers[version] for version in versions},
        )

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.name if self.external is None else self.external.key

    @property
    def places(self) -> Places:
        """Where its partitions lie."""
        return self._places

    @property
    def names_keys(self) -> bool:
        """Whether a column of its rows tells their partitions, and its files hold rows of any: a source's table."""
        return self.metadata is not None and self.metadata.names_keys

    @property
    def exists(self) -> bool:
        """Whether there is a table."""
        return self.version >= 0

    @property
    def table_id(self) -> str | None:
        """What tells the table and its history: Delta's id, and the epoch of one that its owner has put back."""
        if self.metadata is None or self.external is None or self.external.epoch == 1:
            return None if self.metadata is None else self.metadata.table_id
        return f"{self.metadata.table_id}#{self.external.epoch}"

    def is_same(self) -> bool:
        """Return whether the log still holds the commit that was last read; if not, the table was dropped."""
        path = commit_path(self.name, self.version)
        stamp = self.store.stamp(path)
        if self._stamp and stamp == self._stamp:
            return True
        content = self.store.read(path)
        if content is None or digest(content) != self._digest:
            return False
        self._stamp = stamp
        return True

    def tail(self) -> list[Commit]:
        """Read and apply what was committed since, and return it.

        Raises:
            StorageError: the table was dropped since, and perhaps made anew.
            LogGap: a commit is missing or damaged.
        """
        if self.exists and not self.store.is_local and self._is_latest():
            return []
        if self.exists and not self.is_same():
            raise StorageError(
                f"table {self.title}: version {self.version} of the log is no longer the commit that was read; the "
                "table was dropped or put back meanwhile. Run the command again to decide on what is there now."
            )
        return self.follow()

    def _is_latest(self) -> bool:
        """Return whether one look into the log, from its last commit on, shows that commit and nothing later."""
        path = commit_path(self.name, self.version)
        folder, _, name = path.rpartition("/")
        found: Sequence[StoredFile] = self.store.files_from(folder, name) if self._stamp else ()
        return [(file.path, file.stamp) for file in found if file.name[0].isdigit()] == [(path, self._stamp)]

    def skip_to(self, baseline: Baseline) -> None:
        """Advance to a checkpoint whose commits are gone.

        Partitions whose files are not the same any more count as changed there; so do those that have deletion vectors.
        """
        assert self.external is not None, "only what others write is read without its commits"
        before, after = self._live_files(), LiveFiles()
        self._describe(baseline.metadata)
        self.protocol = baseline.protocol
        for file in baseline.files:
            after.add(self._places.of_values(file.partition_values), file)
            self.largest_file_bytes = max(self.largest_file_bytes, file.size_bytes)
        content = self.store.read(commit_path(self.name, baseline.version))
        self.version, self._stamp, self.is_indexed = baseline.version, "", False
        self._digest = b"" if content is None else digest(content)
        self.writers[self.version] = UNTOLD
        self._live = after
        for key in sorted({*before.keys(), *after.keys()}):
            if not before.has_same(after, key):
                self._note([key], self.version, Origin.OUTSIDE if key in after else Origin.GONE, [None], None)

    def follow(self, version: int | None = None) -> list[Commit]:
        """Read and apply what comes next, to the end or to a version, and return it; `tail` makes sure that it fits."""
        is_foreign = self.external is not None
        found: list[Commit] = []
        for commit in tail(self.store, self.name, self.version, version, self._places, is_foreign=is_foreign):
            self.apply(commit)
            found.append(commit)
        return found

    def apply(self, commit: Commit) -> None:
        """Advance by the next commit."""
        assert commit.version == self.version + 1, "commits are applied in order"
        if commit.version == 0 and (commit.metadata is None or commit.protocol is None):
            raise LogGap(self.name, 0, "does not create a table")
        self.version, self._digest, self._stamp = commit.version, commit.digest, ""
        self.read_bytes += commit.size_bytes
        places_before = self._places
        if commit.metadata is not None:
            self._describe(commit.metadata)
        is_recut = commit.version > 0 and self._places != places_before
        self.protocol = commit.protocol or self.protocol
        self.largest_file_bytes = max(self.largest_file_bytes, *(added.file.size_bytes for added in commit.added), 0)
        run_id, kind = (commit.record.run_id, commit.record.kind) if commit.record else (None, None)
        if self.external is not None:
            kind = None  # what a run of another lake did to its table is that lake's to say
        self.writers[commit.version] = Writer(run_id, commit.operation, commit.engine_info, commit.timestamp_ms, kind)
        recorded = self._note_record(commit)
        surely = recorded | {each.key for each in commit.added if each.changes_data}
        if self._live is None and commit.changed_keys <= surely and not is_recut:
            self._waiting.append(commit)
            changed = surely
        else:
            changed = self._live_files().apply(commit)
        if is_recut:  # whoever changes the partition columns rewrites the table, and no old place is one any more
            changed |= set(self.partitions()["key"]) - set(self.live_keys())
        for key in changed - recorded:
            origin = Origin.OUTSIDE if key in surely or key in self._live_files() else Origin.GONE
            self._note([key], commit.version, origin, [None], None)

    def partitions(self) -> pl.DataFrame:
        """Return the state of every partition ever changed, by key. Columns: `PARTITION_SCHEMA`, or narrower."""
        if self._changes["key"]:
            changes = pl.DataFrame(self._changes, schema=PARTITION_SCHEMA)
            known = changes if self._known.is_empty() else pl.concat([self._known.cast(PARTITION_SCHEMA), changes])
            # A backfill goes forward. To sort what is in order already is half of the cost of this.
            self._known = known if _ascends(known["key"]) else known.unique("key", keep="last").sort("key")
            self._changes = {column: [] for column in PARTITION_SCHEMA}
        return self._known

    def narrow(self) -> None:
        """Hold the state of the partitions in a third of the memory, for one who holds many tables for long."""
        self._known = narrowed(self.partitions(), len(self.materializations))

    def changed_at(self, key: str) -> int:
        """Return the version that last changed a partition; -1: none did."""
        return self._last_changes.get(self._places.of_key(key), _NEVER)[0]

    def has_content(self, key: str) -> bool:
        """Return whether a partition has content: written by the engine, even with no row, or from outside."""
        return self._last_changes.get(self._places.of_key(key), _NEVER)[1] != Origin.GONE

    def files(self, keys: Iterable[str]) -> list[LiveFile]:
        """Return the live files of some partitions; where rows name their keys, those that may hold any of them."""
        if self.names_keys:
            return self._live_files().of([WHOLE]) if list(keys) else []
        return self._live_files().of(map(self._places.of_key, keys))

    def live_keys(self) -> Iterator[str]:
        """Yield the keys of the partitions that have files."""
        return self._live_files().keys()

    def live_files(self) -> Iterator[tuple[str, LiveFile]]:
        """Yield every live file with the key of its partition."""
        return iter(self._live_files())

    def sizes(self) -> pl.DataFrame:
        """Return how large the live files of each partition are. Columns: `key` (String), `size_bytes` (Int64).

        Cost: nothing for each file where an index tells, which is the table as it is.
        """
        is_as_kept = self._live is None and not self._waiting
        found = self._load_sizes() if is_as_kept else None
        if found is None:
            sizes = [(key, file.size_bytes) for key, file in self.live_files()]
            each = pl.DataFrame(sizes, {"key": pl.String, "size_bytes": pl.Int64}, orient="row")
            found = each.group_by("key").agg(pl.col("size_bytes").sum())
        return found

    def schema(self) -> pl.Schema:
        """Return the columns, partition columns included.

        Raises:
            TableMismatch: a column's type or the way that the table's files are written cannot be read here, or there
                is no table.
        """
        if self.metadata is None or self.protocol is None:
            raise TableMismatch(f"there is no table {self.title}")
        demand = reader_demand(self.protocol, self.metadata.configuration)
        if demand:
            raise TableMismatch(f"table {self.title} {demand}, which this engine does not do; it cannot be read")
        try:
            return self.metadata.schema()
        except ValueError as error:
            raise TableMismatch(f"table {self.title}: {error}; it cannot be read") from error

    @cached_property
    def _last_changes(self) -> dict[str, tuple[int, int]]:
        """The version and origin of each partition's last change, by key."""
        known = self.partitions()
        return dict(zip(known["key"], zip(known["version"], known["origin"], strict=True), strict=True))

    def _live_files(self) -> LiveFiles:
        if self._live is None:
            self._live = self._load_files()
            for commit in self._waiting:
                self._live.apply(commit)
            self._waiting.clear()
        return self._live

    def _describe(self, metadata: Metadata) -> None:
        self.metadata = metadata
        if not self._places.is_whole:
            self._places = metadata.places()

    def _note_record(self, commit: Commit) -> set[str]:
        if commit.record is None:
            return set()
        self.needs_format = max(self.needs_format, commit.record.needs_format)
        recorded: set[str] = set()
        for group, places in zip(commit.record.groups, commit.recorded, strict=True):
            number = None
            if not group.is_gone:
                number = len(self.materializations)
                self.materializations.append(materialization_of(commit.version, commit.record.run_id, group))
            rows = [None] * len(places) if group.is_gone else group.rows
            self._note(places, commit.version, origin_of(group), rows, number)
            recorded.update(places)
        if (self.names_keys or commit.record.kind is Kind.OBSERVE) and commit.changed_keys - recorded == {WHOLE}:
            # The file that holds everything was replaced: the record says which partitions differ, if any.
            self._note([WHOLE], commit.version, Origin.ENGINE, [None], None)
            recorded.add(WHOLE)
        return recorded

    def _note(
        self, keys: Sequence[str], version: int, origin: Origin, rows: Sequence[int | None], number: int | None
    ) -> None:
        if "_last_changes" in self.__dict__:
            self._last_changes.update(dict.fromkeys(keys, (version, origin)))
        versions, origins, numbers = ([each] * len(keys) for each in (version, int(origin), number))
        for noted, values in zip(self._changes.values(), (keys, versions, origins, rows, numbers), strict=True):
            noted.extend(values)


def _ascends(keys: pl.Series) -> bool:
    return bool((keys.slice(1) > keys.slice(0, max(0, keys.len() - 1))).all())
