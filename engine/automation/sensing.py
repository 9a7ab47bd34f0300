"""Sensing: look at what a sensor watches, and ask its function about it, in the process that has the project loaded.

An evaluation changes nothing. What a tick asks for, its keys and its cursor are recorded by whoever asked for it, all
at once; so whatever is asked twice is carried out once.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from deltaworks.engine.automation.commit_events import position_now, read_commits
from deltaworks.engine.automation.ended_runs import cursor_now, read_ended
from deltaworks.engine.automation.evaluation import Evaluation
from deltaworks.engine.automation.file_arrivals import all_told, list_watched, read_arrivals
from deltaworks.engine.automation.positions import read_positions, write_positions
from deltaworks.engine.automation.sensor_answer import read_sensor_answer
from deltaworks.engine.definitions.automation.commits import Commits
from deltaworks.engine.definitions.automation.sensor import CommitsOf, FilesOf, RunsOf, Sensor
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.io.store import Store


class Ask(Protocol):
    """Calls the function of a sensor with what it is told, by type; none: with the tick alone."""

    def __call__(self, told: object | None) -> Any:
        """Return what it answers."""
        ...


@dataclass(frozen=True, slots=True)
class Scene:
    """What sensors look at."""

    definitions: Definitions
    graph: AssetGraph
    store: Store
    now: Callable[[], dt.datetime]
    sleep: Callable[[float], None] = time.sleep


def sense(sensor: Sensor, tick: Tick, scene: Scene, ask: Ask) -> Evaluation:
    """Look at what a sensor watches, ask its function if there is anything new, and return what the tick asks for.

    Raises:
        InvalidDefinition: the answer is none.
        StorageError: what it watches cannot be read, or not all of it any more; the cursor must stay where it is.
    """
    match sensor.watches:
        case CommitsOf():
            return _sense_commits(sensor, sensor.watches, tick, scene, ask)
        case FilesOf():
            return _sense_files(sensor, sensor.watches, tick, scene, ask)
        case RunsOf():
            return _sense_runs(sensor, sensor.watches, tick, scene, ask)
        case None:
            return _read(sensor, ask(None), scene)


def first_cursor(sensor: Sensor, scene: Scene) -> str | None:
    """Return the cursor of a sensor that is asked from now on; none: it begins without.

    What was committed and which runs ended before is not told. Files that lie there already are.

    Raises:
        StorageError: what it watches cannot be read.
    """
    match sensor.watches:
        case CommitsOf(assets=assets):
            nodes = (scene.graph.nodes[key] for key in assets)
            return write_positions({str(node.key): position_now(scene.store, node) for node in nodes})
        case RunsOf():
            return cursor_now(scene.store, scene.now())
        case _:
            return None


def cursor_at_end(sensor: Sensor, scene: Scene) -> str | None:
    """Return the cursor after which nothing is new that is there now; none: only its function knows.

    Raises:
        StorageError: what it watches cannot be read.
    """
    if isinstance(sensor.watches, FilesOf):
        return all_told(list_watched(sensor.watches))
    return first_cursor(sensor, scene)


def _sense_commits(sensor: Sensor, watches: CommitsOf, tick: Tick, scene: Scene, ask: Ask) -> Evaluation:
    positions = read_positions(_whose(sensor), tick.cursor)
    told: dict[str, Commits] = {}
    notes: list[str] = []
    for key in watches.assets:
        node = scene.graph.nodes[key]
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
    found = _read(sensor, ask(next(iter(told.values())) if watches.is_single else told), scene)
    return _with_notes(replace(found, cursor=cursor), notes)


def _sense_files(sensor: Sensor, watches: FilesOf, tick: Tick, scene: Scene, ask: Ask) -> Evaluation:
    seen = read_arrivals(_whose(sensor), watches, tick.cursor, scene.sleep)
    if not seen.arrivals.files:
        moved = tick.cursor is not None and seen.cursor != tick.cursor
        return Evaluation(skip_reason="no file that is new and whole", cursor=seen.cursor if moved else None)
    return replace(_read(sensor, ask(seen.arrivals), scene), cursor=seen.cursor)


def _sense_runs(sensor: Sensor, watches: RunsOf, tick: Tick, scene: Scene, ask: Ask) -> Evaluation:
    if tick.cursor is None:
        begun = cursor_now(scene.store, scene.now())
        return Evaluation(skip_reason="it begins with the runs that end from now on", cursor=begun)
    seen = read_ended(_whose(sensor), scene.store, watches, tick.cursor, scene.now())
    if not seen.runs:
        return Evaluation(skip_reason="no run has ended so", cursor=seen.cursor if seen.is_behind else None)
    answers = [_read(sensor, ask(run), scene) for run in seen.runs]
    reasons = {each.skip_reason: None for each in answers if each.skip_reason is not None}
    return Evaluation(
        requests=tuple(request for each in answers for request in each.requests),
        skip_reason="; ".join(reasons) if not any(each.requests for each in answers) else None,
        cursor=seen.cursor,
        new_keys=_joined(each.new_keys for each in answers),
        gone_keys=_joined(each.gone_keys for each in answers),
    )


def _read(sensor: Sensor, answer: object, scene: Scene) -> Evaluation:
    return read_sensor_answer(
        _whose(sensor),
        answer,
        scene.definitions,
        scene.graph,
        None if sensor.job is None else sensor.job.name,
        keeps_cursor=sensor.watches is None,
    )


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
