"""Sensors: the decorators that define them, one for each thing that can be looked at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, overload

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.automation.commits import Operation, WrittenBy
from deltaworks.engine.definitions.automation.sensor import (
    CommitsOf,
    FilesOf,
    FreshnessOf,
    Manner,
    RunsOf,
    Sensor,
    Subject,
    define_sensor,
)
from deltaworks.engine.definitions.calling import calling_frame, calling_place
from deltaworks.engine.definitions.files import read_files
from deltaworks.engine.definitions.keys import AssetKey, KeyLike, as_key
from deltaworks.engine.definitions.ops.asset_job import AssetJob
from deltaworks.engine.definitions.ops.job import Job
from deltaworks.errors import InvalidDefinition
from deltaworks.io.run_entry import RunStatus

AnyJob: TypeAlias = Job | AssetJob
Function: TypeAlias = Callable[..., Any]
Decorator: TypeAlias = Callable[[Function], Sensor]
Upstream: TypeAlias = Asset[..., Any] | KeyLike
KeyFilter: TypeAlias = Collection[str] | Callable[[str], bool] | None

_TIMEOUT_S = 60.0


@overload
def sensor(function: Function, /) -> Sensor: ...


@overload
def sensor(
    *,
    job: AnyJob | None = None,
    interval_s: float = 30.0,
    name: str | None = None,
    is_on: bool = True,
    timeout_s: float = _TIMEOUT_S,
    tags: Mapping[str, str] | None = None,
    description: str | None = None,
) -> Decorator: ...


def sensor(
    function: Function | None = None,
    /,
    *,
    job: AnyJob | None = None,
    interval_s: float = 30.0,
    name: str | None = None,
    is_on: bool = True,
    timeout_s: float = _TIMEOUT_S,
    tags: Mapping[str, str] | None = None,
    description: str | None = None,
) -> Sensor | Decorator:
    """Ask a function at intervals whether something should run.

    It may take a `Tick`, with the cursor that its last answer left, a `Logger` and resources by type. It returns or
    yields `RunRequest`s, or returns a `SkipReason`, a list of these, a `SensorResult` or nothing. If it raises, the
    tick has failed and is tried again; the cursor stays where it was.

    Args:
        function: what `@sensor` without parentheses decorates.
        job: what is run where a request names no job.
        interval_s: how long it is from one tick to the next.
        name: the sensor's name; none: the function's.
        is_on: whether it runs until somebody stops it, or only when somebody has started it.
        timeout_s: how long the function may take.
        tags: words about the runs that it asks for.
        description: what it is for; none: the function's docstring.

    Raises:
        InvalidDefinition: what is given makes no sense; the message has file and line.
    """
    manner = Manner(name, job, interval_s, is_on, timeout_s, tags, description)
    decorate = _decorator(None, manner)
    return decorate if function is None else decorate(function)


def asset_sensor(
    *,
    asset: Upstream,
    job: AnyJob | None = None,
    partitions: KeyFilter = None,
    operations: Iterable[Operation | str] | None = None,
    written_by: WrittenBy | str | None = None,
    interval_s: float = 0.25,
    name: str | None = None,
    is_on: bool = True,
    timeout_s: float = _TIMEOUT_S,
    tags: Mapping[str, str] | None = None,
    description: str | None = None,
) -> Decorator:
    """Ask a function about the commits of a table: those of this lake's runs, and those of anybody else.

    It takes `Commits`, and what every sensor may take. It is asked when there are commits that it has not been told
    of; its cursor is the version of the table, so none is missed however long it was not asked.

    Args:
        asset: the table; an external asset and an observable source are tables, too.
        job: what is run where a request names no job.
        partitions: the keys that count, or a function that tells whether a key does; none: all.
        operations: which kinds of commits count, as `"write"` or `Operation.WIPE`; none: all.
        written_by: `"ours"` or `"outside"`; none: both.
        interval_s: how long it is from one look to the next; one that finds nothing costs a look-up.
        name: the sensor's name; none: the function's.
        is_on: whether it runs until somebody stops it, or only when somebody has started it.
        timeout_s: how long the function may take.
        tags: words about the runs that it asks for.
        description: what it is for; none: the function's docstring.

    Raises:
        InvalidDefinition: what is given makes no sense; the message has file and line.
    """
    manner = Manner(name, job, interval_s, is_on, timeout_s, tags, description)
    return _decorator(_commits_of((asset,), partitions, operations, written_by, is_single=True), manner)


def multi_asset_sensor(
    *,
    assets: Sequence[Upstream],
    job: AnyJob | None = None,
    partitions: KeyFilter = None,
    operations: Iterable[Operation | str] | None = None,
    written_by: WrittenBy | str | None = None,
    interval_s: float = 0.25,
    name: str | None = None,
    is_on: bool = True,
    timeout_s: float = _TIMEOUT_S,
    tags: Mapping[str, str] | None = None,
    description: str | None = None,
) -> Decorator:
    """Ask a function about the commits of several tables at once; see `asset_sensor`.

    It takes a `Mapping[str, Commits]`, by the key of each table that has any.
    """
    manner = Manner(name, job, interval_s, is_on, timeout_s, tags, description)
    return _decorator(_commits_of(tuple(assets), partitions, operations, written_by, is_single=False), manner)


def file_sensor(
    pattern: str | Path,
    *,
    job: AnyJob | None = None,
    settle_s: float = 0.5,
    interval_s: float = 2.0,
    name: str | None = None,
    is_on: bool = True,
    timeout_s: float = _TIMEOUT_S,
    tags: Mapping[str, str] | None = None,
    description: str | None = None,
) -> Decorator:
    """Ask a function about files that arrived: new ones, and those that were written anew.

    It takes `Arrivals`, and what every sensor may take. No file is told twice in one version. A file that is still
    being written is told when it kept its size and time from one look to another.

    Args:
        pattern: the files, as a `file_source` takes them: a path from the folder of the module, or a URI such as
            `s3://bucket/data/*.csv`.
        job: what is run where a request names no job.
        settle_s: how long it is between the two looks; an object store shows only whole files, so there is one.
        interval_s: how long it is from one listing to the next.
        name: the sensor's name; none: the function's.
        is_on: whether it runs until somebody stops it, or only when somebody has started it.
        timeout_s: how long the function may take.
        tags: words about the runs that it asks for.
        description: what it is for; none: the function's docstring.

    Raises:
        InvalidDefinition: what is given makes no sense; the message has file and line.
    """
    if not 0 <= settle_s <= timeout_s:
        raise _refused(f"settle_s={settle_s!r} must be between 0 and timeout_s={timeout_s:g}")
    try:
        where = calling_place()
        files = read_files(pattern, Path.cwd() if where is None else Path(where.file).parent, None)
    except InvalidDefinition as error:
        raise _refused(error.reason) from error
    manner = Manner(name, job, interval_s, is_on, timeout_s, tags, description)
    return _decorator(FilesOf(files, float(settle_s)), manner)


def run_status_sensor(
    *,
    status: RunStatus | str | Iterable[RunStatus | str],
    jobs: Iterable[AnyJob] | None = None,
    job: AnyJob | None = None,
    interval_s: float = 2.0,
    name: str | None = None,
    is_on: bool = True,
    timeout_s: float = _TIMEOUT_S,
    tags: Mapping[str, str] | None = None,
    description: str | None = None,
) -> Decorator:
    """Call a function for each run that ended so, whoever started it.

    It takes a `Run`, and what every sensor may take. It may ask for runs as every sensor does, or return nothing. It
    is called for each run once; if its daemon dies meanwhile, or it raises, again.

    Args:
        status: how they ended: `"success"`, `"failure"`, `"canceled"`, `"lost"`, or several of these.
        jobs: the jobs whose runs count; none: all runs, those of commands included.
        job: what is run where a request names no job.
        interval_s: how long it is from one look to the next.
        name: the sensor's name; none: the function's.
        is_on: whether it runs until somebody stops it, or only when somebody has started it.
        timeout_s: how long the function may take for all runs of one tick.
        tags: words about the runs that it asks for.
        description: what it is for; none: the function's docstring.

    Raises:
        InvalidDefinition: what is given makes no sense; the message has file and line.
    """
    given = (status,) if isinstance(status, str) else tuple(status)
    over = [each.value for each in RunStatus if each.is_over]
    wrong = next((each for each in given if each not in over), None)
    if wrong is not None or not given:
        raise _refused(f"status={wrong!r} is no end of a run; a run ends as {', '.join(over)}")
    names = None if jobs is None else frozenset(each.name for each in jobs)
    if names is not None and not names:
        raise _refused("jobs is empty; leave it out to mean the runs of all jobs")
    manner = Manner(name, job, interval_s, is_on, timeout_s, tags, description)
    return _decorator(RunsOf(frozenset(map(RunStatus, given)), names), manner)


def run_failure_sensor(
    *,
    jobs: Iterable[AnyJob] | None = None,
    job: AnyJob | None = None,
    interval_s: float = 2.0,
    name: str | None = None,
    is_on: bool = True,
    timeout_s: float = _TIMEOUT_S,
    tags: Mapping[str, str] | None = None,
    description: str | None = None,
) -> Decorator:
    """Call a function for each run that failed or was lost; see `run_status_sensor`."""
    return run_status_sensor(
        status=(RunStatus.FAILURE, RunStatus.LOST),
        jobs=jobs,
        job=job,
        interval_s=interval_s,
        name=name,
        is_on=is_on,
        timeout_s=timeout_s,
        tags=tags,
        description=description,
    )


def freshness_sensor(
    *,
    assets: Sequence[Upstream] | None = None,
    job: AnyJob | None = None,
    interval_s: float = 30.0,
    name: str | None = None,
    is_on: bool = True,
    timeout_s: float = _TIMEOUT_S,
    tags: Mapping[str, str] | None = None,
    description: str | None = None,
) -> Decorator:
    """Call a function for each asset that becomes late, or is on time again, by its `FreshnessPolicy`.

    It takes a `FreshnessChange`, and what every sensor may take. It is called for each change once; what is late
    already when it is first asked has become late then.

    Args:
        assets: those that count; none: all that have a policy.
        job: what is run where a request names no job.
        interval_s: how long it is from one look to the next.
        name: the sensor's name; none: the function's.
        is_on: whether it runs until somebody stops it, or only when somebody has started it.
        timeout_s: how long the function may take for all changes of one tick.
        tags: words about the runs that it asks for.
        description: what it is for; none: the function's docstring.

    Raises:
        InvalidDefinition: what is given makes no sense; the message has file and line.
    """
    if assets is not None and not assets:
        raise _refused("assets is empty; leave it out to mean all assets that have a freshness policy")
    manner = Manner(name, job, interval_s, is_on, timeout_s, tags, description)
    return _decorator(FreshnessOf(None if assets is None else tuple(dict.fromkeys(map(_key, assets)))), manner)


def _decorator(watches: Subject, manner: Manner) -> Decorator:
    frame = calling_frame()
    local_names = {} if frame is None else frame.f_locals  # models and resources may be local to a scope
    return lambda function: define_sensor(function, watches, manner, local_names)


def _commits_of(
    assets: Sequence[Upstream],
    partitions: KeyFilter,
    operations: Iterable[Operation | str] | None,
    written_by: WrittenBy | str | None,
    *,
    is_single: bool,
) -> CommitsOf:
    if not assets:
        raise _refused("assets is empty; name the tables whose commits it is about")
    wanted = tuple(Operation) if operations is None else tuple(operations)
    wrong = next((each for each in wanted if each not in list(Operation)), None)
    if wrong is not None or not wanted:
        raise _refused(f"operations has {wrong!r}; there are {', '.join(Operation)}")
    if written_by is not None and written_by not in list(WrittenBy):
        raise _refused(f"written_by={written_by!r} must be {' or '.join(map(repr, map(str, WrittenBy)))}")
    return CommitsOf(
        assets=tuple(dict.fromkeys(map(_key, assets))),
        is_single=is_single,
        operations=frozenset(map(Operation, wanted)),
        written_by=None if written_by is None else WrittenBy(written_by),
        partitions=_key_filter(partitions),
    )


def _key(asset: Upstream) -> AssetKey:
    try:
        return asset.key if isinstance(asset, Asset) else as_key(asset)
    except InvalidDefinition as error:
        raise _refused(error.reason) from error


def _key_filter(partitions: KeyFilter) -> Callable[[str], bool] | None:
    if partitions is None or callable(partitions):
        return partitions
    if isinstance(partitions, str):
        raise _refused(f"partitions={partitions!r} must be a list of keys or a function of a key")
    return frozenset(partitions).__contains__


def _refused(problem: str) -> InvalidDefinition:
    return InvalidDefinition(f"sensor: {problem}", where=calling_place())
