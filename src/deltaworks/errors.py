"""Every error that deltaworks raises on purpose.

    DeltaworksError
    ├── DefinitionError         the author's code or settings, found at load          exit code 2
    │   ├── InvalidDefinition   one definition does not make sense by itself
    │   ├── UnknownUpstream     an argument names an asset that is not defined
    │   ├── InvalidContract     a pandera model asks for what cannot be enforced
    │   ├── ModuleNotLoaded     a project module cannot be imported
    │   ├── LocationFailed      a code location cannot be loaded, or its process ended
    │   └── InvalidSettings     deltaworks.toml, its environment variables, or a missing project
    ├── RequestError            what was asked for does not exist or cannot be        exit code 2
    │   ├── UnknownAsset
    │   ├── UnknownColumn
    │   ├── UnknownPartition
    │   ├── UnknownAutomation   a schedule or a sensor
    │   ├── UnknownJob
    │   ├── UnknownRun
    │   ├── RunGoesOn           another process is at that run, so not now            exit code 1
    │   └── PlanChanged         what would be carried out is not what was looked at
    ├── ValidationFailed        data that breaks its contract                         exit code 1
    ├── StorageError            the world: disks, object stores, other writers        exit code 1
    │   ├── LogGap              a commit file is missing or damaged
    │   ├── VersionGone         a table has no such version
    │   ├── FilesGone           data files that a version needs were removed
    │   ├── TableMismatch       a table is not what its asset says it is
    │   ├── CommitConflict      somebody else changed what this commit was about
    │   └── ClaimHeld           somebody else does what only one may do at a time
    ├── ServerError             a deltaworks server is not reached, or broke          exit code 1
    ├── AlertNotSent            nobody could be told of what went wrong               exit code 1
    └── RunError                user code that raised or gave back the wrong thing    exit code 1
        ├── CallTimedOut        a call took longer than it may
        ├── CallOutOfMemory     a call took more memory than it may
        ├── ClusterLost         the scheduler of a run's workers does not answer any more
        └── WorkerDied          the process of a call ended, or could not begin
            ├── CannotLoad      the process of a call cannot load the project
            └── WorkerLost      a worker of a cluster is gone, with all that it had to do

A constructor takes facts, builds the sentence and keeps the facts as attributes. Errors pickle, so that they can
travel from a worker process to the coordinator.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of the author's code."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


_SHOWN = 5
"""How many partitions a message names."""


def _restore(cls: type[DeltaworksError], message: str, state: dict[str, Any]) -> DeltaworksError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class DeltaworksError(Exception):
    """Anything that deltaworks refuses or could not do, said in one sentence."""

    exit_code = 1

    def __reduce__(self) -> tuple[Callable[..., DeltaworksError], tuple[Any, ...]]:
        return _restore, (type(self), str(self), self.__dict__)


class DefinitionError(DeltaworksError):
    """The author's code is wrong; nothing was run."""

    exit_code = 2

    def __init__(self, message: str, *, where: Place | None = None, asset: str | None = None) -> None:
        self.where, self.asset, self.reason = where, asset, message
        super().__init__(f"{where}: {message}" if where else message)


class InvalidDefinition(DefinitionError):
    """One definition does not make sense by itself or among the others."""


class UnknownUpstream(DefinitionError):
    """An argument of an asset names no asset that is defined."""

    def __init__(self, argument: str, asset: str, known: Iterable[str], where: Place) -> None:
        self.argument = argument
        super().__init__(
            f"asset {asset!r} reads {argument!r}, but no asset has that name.{did_you_mean(argument, known)}",
            where=where,
            asset=asset,
        )


class InvalidContract(DefinitionError):
    """A pandera model asks for what cannot be enforced before a commit."""

    def __init__(self, model: str, problem: str, *, where: Place | None = None) -> None:
        self.model, self.problem = model, problem
        super().__init__(f"model {model}: {problem}", where=where)


class ModuleNotLoaded(DefinitionError):
    """A project module cannot be imported."""

    def __init__(
        self, module: str, cause: BaseException, where: Place | None = None, *, is_absent: bool = False
    ) -> None:
        self.module = module
        reason = f"{type(cause).__name__}: {cause}"
        if is_absent:
            reason += "; `modules` in the settings, or -m, names it, and it is looked for in the project's folder"
        super().__init__(f"cannot import {module!r}: {reason}", where=where)


class LocationFailed(DefinitionError):
    """A code location cannot be loaded, or its process ended while it was needed."""

    def __init__(self, location: str, reason: str, *, where: Place | None = None, asset: str | None = None) -> None:
        self.location = location
        super().__init__(f"location {location!r}: {reason}", where=where, asset=asset)


class InvalidSettings(DefinitionError):
    """The settings file, a variable that overrides it, or the project's place is wrong."""


class RequestError(DeltaworksError):
    """What was asked for does not exist or contradicts itself; nothing was run."""

    exit_code = 2


class UnknownAsset(RequestError):
    """A selection or an argument names an asset that is not defined."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        super().__init__(f"There is no asset {name!r}.{did_you_mean(name, known)}")


class UnknownColumn(RequestError):
    """A request names a column that an asset does not have, as far as its columns are known."""

    def __init__(self, name: str, asset: str, known: Iterable[str]) -> None:
        self.name, self.asset, self.known = name, asset, tuple(known)
        if self.known:
            problem = f"its columns are {', '.join(self.known)}.{did_you_mean(name, self.known, otherwise='')}"
        else:
            problem = "which columns it has is known only from its data; a model would say so."
        super().__init__(f"Asset {asset!r} has no column {name!r}: {problem}")


class UnknownAutomation(RequestError):
    """A request names a schedule or sensor that is not defined; `kind` says which of the two."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name = kind, name
        hint = did_you_mean(name, known, otherwise=f" `deltaworks {kind} list` shows which there are.")
        super().__init__(f"There is no {kind} {name!r}.{hint}")


class UnknownJob(RequestError):
    """A request names a job that is not defined."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        hint = did_you_mean(name, known, otherwise=" `deltaworks job list` shows which there are.")
        super().__init__(f"There is no job {name!r}.{hint}")


class UnknownRun(RequestError):
    """A request names a run that the ledger does not have."""


class RunGoesOn(RequestError):
    """Another process carries that run out, or is about to; once it has ended, or has died, the same may be asked."""

    exit_code = 1


class PlanChanged(RequestError):
    """What would be carried out is not what was looked at."""

    def __init__(self, was: str, now: str) -> None:
        self.was, self.now = was, now
        super().__init__(
            f"The plan has changed since it was looked at (it was {was} and is {now}): somebody committed, or the code "
            "was edited. Look at it again."
        )


class UnknownPartition(RequestError):
    """A partition key is not one of an asset's partitions."""

    def __init__(self, key: str, asset: str, partitions: str, hint: str = "") -> None:
        self.key, self.asset = key, asset
        super().__init__(f"Asset {asset!r} has no partition {key!r}: its partitions are {partitions}.{hint}")


class ValidationFailed(DeltaworksError):
    """A staged result breaks its contract, so it was not committed."""

    def __init__(self, message: str, *, asset: str, partition: str | None) -> None:
        self.asset, self.partition = asset, partition
        super().__init__(message)


class StorageError(DeltaworksError):
    """A disk, an object store or a table did not do what it must."""


class ServerError(DeltaworksError):
    """A server of deltaworks could not be reached, or could not answer."""

    def __init__(self, address: str, problem: str) -> None:
        self.address, self.problem = address, problem
        super().__init__(f"the server at {address}: {problem}")


class AlertNotSent(DeltaworksError):
    """A message did not reach who was to be told."""

    def __init__(self, alert: str, problem: str) -> None:
        self.alert, self.problem = alert, problem
        super().__init__(f"alert {alert!r} could not be sent: {problem}")


class LogGap(StorageError):
    """A commit file of a table's log is missing or damaged, so its state cannot be known."""

    def __init__(self, table: str, version: int, problem: str) -> None:
        self.table, self.version, self.problem = table, version, problem
        super().__init__(
            f"{table}: version {version} of the log {problem}, so nothing can be said about this table's state. "
            "Restore the commit file from a backup, or move the table away and materialize it anew."
        )


class VersionGone(StorageError):
    """A table version that was asked for is not there, or no longer."""

    exit_code = 2

    def __init__(self, table: str, version: int, latest: int, earliest: int = 0) -> None:
        self.table, self.version, self.latest, self.earliest = table, version, latest, earliest
        super().__init__(f"{table} has no version {version}: its versions are {earliest} to {latest}.")


class FilesGone(StorageError):
    """Data files that an earlier version of a table needs were removed, as vacuum does."""

    exit_code = 2

    def __init__(self, table: str, version: int, partitions: Iterable[str], way_out: str) -> None:
        self.table, self.version, self.partitions = table, version, tuple(partitions)
        shown = [key for key in self.partitions[:_SHOWN] if key]
        more = f" and {len(self.partitions) - _SHOWN} more" if len(self.partitions) > _SHOWN else ""
        whose = f" of {', '.join(shown)}{more}" if shown else ""
        super().__init__(
            f"table {table}: data files{whose} that version {version} had were removed, as vacuum does; {way_out}."
        )


class TableMismatch(StorageError):
    """A table's schema, partitioning or protocol is not what its asset needs; nothing was written."""

    exit_code = 2


class CommitConflict(StorageError):
    """Other writers changed the partitions that this commit was about."""

    def __init__(self, table: str, partitions: Iterable[str], read_version: int, version: int) -> None:
        self.table, self.partitions = table, tuple(partitions)
        self.read_version, self.version = read_version, version
        named = ", ".join(self.partitions[:_SHOWN]) or "the whole table"
        super().__init__(
            f"{table}: {named} changed at version {version} while this run worked from version {read_version}; "
            "its result was not committed. Run the same command again to decide on the new state."
        )


class ClaimHeld(StorageError):
    """Somebody else does what only one may do at a time; nothing was done."""

    def __init__(self, claim: str, holder: str, *, free_at: dt.datetime | None = None) -> None:
        self.claim, self.holder, self.free_at = claim, holder, free_at
        hint = (
            f"it is taken over after {free_at:%H:%M} UTC; to go on at once, delete it"
            if free_at
            else "wait for the end; if its process is gone, delete it"
        )
        super().__init__(f"claim {claim} is held by {holder}: {hint}.")


class RunError(DeltaworksError):
    """User code raised, or gave back what cannot be stored.

    Args:
        message: what went wrong.
        asset: whose function it was, if that is known.
        partition: for which it was called.
        names: by which retry policies know what the code raised, beside this error's own names.
    """

    def __init__(
        self, message: str, *, asset: str | None = None, partition: str | None = None, names: tuple[str, ...] = ()
    ) -> None:
        self.asset, self.partition, self.names = asset, partition, names
        super().__init__(message)


class CallTimedOut(RunError):
    """A call took longer than it may, and its process was ended."""

    def __init__(self, where: str, timeout_s: float) -> None:
        self.where, self.timeout_s = where, timeout_s
        super().__init__(f"{where}: ran longer than timeout_s={timeout_s:g}, so its process was ended")


class CallOutOfMemory(RunError):
    """A call took more memory than it may, and its process was ended."""

    def __init__(self, where: str, memory_mb: float, taken_mb: float) -> None:
        self.where, self.memory_mb, self.taken_mb = where, memory_mb, taken_mb
        super().__init__(
            f"{where}: its process took {taken_mb:,.0f} MB of memory, more than memory_mb={memory_mb:g}, and was ended"
        )


class WorkerDied(RunError):
    """The process that a call ran in ended before the call did, or could not begin with it."""

    def __init__(self, where: str, what: str) -> None:
        self.where, self.what = where, what
        super().__init__(f"{where}: {what}")


class CannotLoad(WorkerDied):
    """A process cannot load the project, and no other one of the same place could."""


class WorkerLost(WorkerDied):
    """A worker of a cluster went while it had a call to carry out, which may well not have been the call's doing."""


class ClusterLost(RunError):
    """The scheduler of a run's workers does not answer any more; what the run has committed stays."""

    def __init__(self, scheduler: str, run_hint: str) -> None:
        self.scheduler, self.run_hint = scheduler, run_hint
        super().__init__(f"The Dask scheduler at {scheduler} is gone. What is committed stays; {run_hint}")


def did_you_mean(name: str, known: Iterable[str], otherwise: str = " `deltaworks list` shows what is defined.") -> str:
    """Return a sentence that names the closest known name, or says where the known ones are listed."""
    close = get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else otherwise
