"""Sensing: look at what a sensor watches, and ask its function about it, in the process that has the project loaded.

An evaluation changes nothing. What a tick asks for, its keys and its cursor are recorded by whoever asked for it, all
at once; so whatever is asked twice is carried out once.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from deltaworks.engine.automation.commit_events import position_now, read_commits
from deltaworks.engine.automation.ended_runs import cursor_now, read_ended
from deltaworks.engine.automation.evaluation import Evaluation, with_tags
from deltaworks.engine.automation.file_arrivals import all_told, list_watched, read_arrivals
from deltaworks.engine.automation.freshness import AskedFreshness
from deltaworks.engine.automation.positions import read_positions, write_positions
from deltaworks.engine.automation.sensor_answer import read_sensor_answer
from deltaworks.engine.definitions.automation.commits import Commits
from deltaworks.engine.definitions.automation.sensor import CommitsOf, FilesOf, FreshnessOf, RunsOf, Sensor
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.resolution import DynamicKeys, dynamic_dimensions, resolve
from deltaworks.engine.planning.graph import AssetGraph, Node, build_graph
from deltaworks.engine.workspace.dynamic_keys import read_dynamic_keys
from deltaworks.io.store import Store

Call: TypeAlias = Callable[[object | None, Callable[[object], Evaluation]], Evaluation]
"""Calls the function of a sensor with what it is told beside the tick, if anything, and reads its answer."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What sensors look at."""

    definitions: Definitions
    store: Store
    now: dt.datetime
    """When partitions without an end are taken to end, and which runs are lost."""
    sleep: Callable[[float], None] = time.sleep
    freshness: AskedFreshness | None = None
    """What is known of the lake's freshness from the ticks before; none: nothing."""

    def node(self, key: AssetKey) -> Node:
        """Return an asset with its partitions as they are now; what it is made from does not matter here.

        Raises:
            StorageError: the lake's keys of dynamic partitions are damaged.
        """
        asset = next(asset for asset in self.definitions.assets if asset.key == key)
        is_dynamic = bool(dynamic_dimensions(asset.partitions))
        keys: DynamicKeys = read_dynamic_keys(self.definitions, self.store) if is_dynamic else {}
        return Node(asset, resolve(asset.partitions, keys).until(self.now), (), ())

    def graph(self) -> AssetGraph:
        """Return all assets as they are now.

        Raises:
            StorageError: the lake's keys of dynamic partitions are damaged.
        """
        return build_graph(self.definitions, self.now, read_dynamic_keys(self.definitions, self.store))


def sense(sensor: Sensor, tick: Tick, scene: Scene, call: Call) -> Evaluation:
    """Look at what a sensor watches, ask its function if there is anything new, and return what the tick asks for.

    Raises:
        InvalidDefinition: the answer is none.
        StorageError: what it watches cannot be read, or not all of it any more; the cursor must stay where it is.
    """
    match sensor.watches:
        case CommitsOf():
            return _sense_commits(sensor, sensor.watches, tick, scene, call)
        case FilesOf():
            return _sense_files(sensor, sensor.watches, tick, scene, call)
        case RunsOf():
            return _sense_runs(sensor, sensor.watches, tick, scene, call)
        case FreshnessOf():
            return _sense_freshness(sensor, sensor.watches, tick, scene, call)
        case None:
            return call(None, partial(_read, sensor, scene))


def first_cursor(sensor: Sensor, scene: Scene) -> str | None:
    """Return the cursor of a sensor that is asked from now on; none: it begins without.

    What was committed and which runs ended before is not told. Files that lie there already are.

    Raises:
        StorageError: what it watches cannot be read.
    """
    match sensor.watches:
        case CommitsOf(assets=assets):
            nodes = map(scene.node, assets)
            return write_positions({str(node.key): position_now(scene.store, node) for node in nodes})
        case RunsOf():
            return cursor_now(scene.store, scene.now)
        case _:
            return None


def cursor_at_end(sensor: Sensor, scene: Scene) -> str | None:
    """Return the cursor after which nothing is new that is there now; none: only its function knows.

    Raises:
        StorageError: what it watches cannot be read.
    """
    if isinstance(sensor.watches, FilesOf):
        return all_told(list_watched(sensor.watches))
    if isinstance(sensor.watches, FreshnessOf):
        asked = scene.freshness or AskedFreshness(scene.definitions, scene.store)
        return asked.changes(_whose(sensor), None, scene.now, sensor.watches.assets).cursor
    return first_cursor(sensor, scene)


def _sense_commits(sensor: Sensor, watches: CommitsOf, tick: Tick, scene: Scene, call: Call) -> Evaluation:
    positions = read_positions(_whose(sensor), tick.cursor)
    told: dict[str, Commits] = {}
    notes: list[str] = []
    for key in watches.assets:
        node = scene.node(key)
        since = positions.get(str(key))
        if since is None:
            positions[str(key)] = position_now(scene.store, node)
            notes.append(f"it begins after version {positions[str(key)].version} of {key}")
            continue
        seen = read_commits(scene.store, node, since, watches)
        positions[str(key)] = seen.position
        told |= {str(key): seen.commits} if seen.commits.events else {}
        notes += filter(None, (seen.commits.note,))
    cursor = write_positions(positions)
    if not told:
        nothing = "; ".join(notes) or "no commit that it is about"
        return Evaluation(skip_reason=nothing, cursor=None if cursor == tick.cursor else cursor)
    found = call(next(iter(told.values())) if watches.is_single else told, partial(_read, sensor, scene))
    return _with_notes(replace(found, cursor=cursor), notes)


def _sense_files(sensor: Sensor, watches: FilesOf, tick: Tick, scene: Scene, call: Call) -> Evaluation:
    seen = read_arrivals(_whose(sensor), watches, tick.cursor, scene.sleep)
    if not seen.arrivals.files:
        moved = tick.cursor is not None and seen.cursor != tick.cursor
        return Evaluation(skip_reason="no file that is new and whole", cursor=seen.cursor if moved else None)
    return replace(call(seen.arrivals, partial(_read, sensor, scene)), cursor=seen.cursor)


def _sense_runs(sensor: Sensor, watches: RunsOf, tick: Tick, scene: Scene, call: Call) -> Evaluation:
    if tick.cursor is None:
        begun = cursor_now(scene.store, scene.now)
        return Evaluation(skip_reason="it begins with the runs that end from now on", cursor=begun)
    seen = read_ended(sensor.name, scene.store, watches, tick.cursor, scene.now)
    if not seen.runs:
        return Evaluation(skip_reason="no run has ended so", cursor=seen.cursor if seen.is_behind else None)
    answers = [call(run, partial(_read, sensor, scene)) for run in seen.runs]
    return _together(answers, seen.cursor)


def _sense_freshness(sensor: Sensor, watches: FreshnessOf, tick: Tick, scene: Scene, call: Call) -> Evaluation:
    asked = scene.freshness or AskedFreshness(scene.definitions, scene.store)
    told = asked.changes(_whose(sensor), tick.cursor, scene.now, watches.assets)
    if not told.changes:
        return Evaluation(skip_reason="nothing has become late or on time", cursor=told.cursor)
    return _together([call(change, partial(_read, sensor, scene)) for change in told.changes], told.cursor)


def _together(answers: Sequence[Evaluation], cursor: str) -> Evaluation:
    """Return what several calls of one function ask for at one tick."""
    reasons = {each.skip_reason: None for each in answers if each.skip_reason is not None}
    return Evaluation(
        requests=tuple(request for each in answers for request in each.requests),
        skip_reason="; ".join(reasons) if not any(each.requests for each in answers) else None,
        cursor=cursor,
        new_keys=_joined(each.new_keys for each in answers),
        gone_keys=_joined(each.gone_keys for each in answers),
    )


def _read(sensor: Sensor, scene: Scene, answer: object) -> Evaluation:
    found = read_sensor_answer(
        _whose(sensor),
        answer,
        scene.definitions,
        scene.graph,
        None if sensor.job is None else sensor.job.name,
        keeps_cursor=sensor.watches is None,
    )
    return with_tags(_whose(sensor), found, sensor.tags)


def _with_notes(evaluation: Evaluation, notes: list[str]) -> Evaluation:
    if evaluation.skip_reason is None or not notes:
        return evaluation
    return replace(evaluation, skip_reason="; ".join((evaluation.skip_reason, *notes)))


def _joined(parts: Iterable[Mapping[str, tuple[str, ...]]]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for changes in parts:
        for name, keys in changes.items():
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), *keys)))
    return found


def _whose(sensor: Sensor) -> str:
    return f"sensor {sensor.name!r}"
