"""SensorAnswer: what the function of a sensor answered, taken apart and checked, keys and cursor included."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import cast

from deltaworks.engine.automation.evaluation import Evaluation, plain, read_answer
from deltaworks.engine.definitions.automation.run_request import SkipReason
from deltaworks.engine.definitions.automation.sensor_result import SensorResult
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.partitions.key_partitions import DynamicPartitions
from deltaworks.engine.definitions.partitions.resolution import dynamic_dimensions
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.workspace.dynamic_keys import key_refusal
from deltaworks.errors import InvalidDefinition, did_you_mean
from deltaworks.io.partition_keys import key_problem

MOST_KEYS = 10_000
"""How many keys one tick may add or remove."""
MOST_CURSOR = 100_000
"""How many characters a cursor may have."""


def read_sensor_answer(
    whose: str,
    answer: object,
    definitions: Definitions,
    graph: Callable[[], AssetGraph],
    job: str | None,
    *,
    keeps_cursor: bool,
) -> Evaluation:
    """Take the answer of a sensor apart.

    Args:
        whose: what answered, for messages.
        answer: what its function returned.
        definitions: the jobs that there are.
        graph: returns the assets, if their dynamic partitions are to get other keys.
        job: the name of the job of requests that name none.
        keeps_cursor: whether the cursor is the function's own; else the engine keeps it.

    Raises:
        InvalidDefinition: it is no answer. What a generator raises passes through.
    """
    if not isinstance(answer, SensorResult):
        return read_answer(whose, answer, definitions.jobs, job)
    parts = list(answer.requests) if isinstance(cast("object", answer.requests), Collection) else answer.requests
    skip = SkipReason(answer.skip) if isinstance(answer.skip, str) else answer.skip
    found = read_answer(whose, parts if skip is None else [*parts, skip], definitions.jobs, job)
    _check_cursor(whose, answer.cursor, keeps_cursor=keeps_cursor)
    known = {
        dynamic.name: dynamic
        for partitioned in (*definitions.assets, *definitions.jobs.values())
        for dynamic in (each.without_keys() for each in dynamic_dimensions(partitioned.partitions))
        if dynamic.name is not None
    }
    return replace(
        found,
        cursor=None if answer.cursor is None else plain(answer.cursor),
        new_keys=_keys(whose, "add_partitions", answer.add_partitions, known, graph),
        gone_keys=_keys(whose, "remove_partitions", answer.remove_partitions, known, graph),
    )


def _check_cursor(whose: str, cursor: object, *, keeps_cursor: bool) -> None:
    if cursor is None:
        return
    if not keeps_cursor:
        raise InvalidDefinition(
            f"{whose} gives a cursor, but the engine keeps that of sensors on commits, files and runs; leave it out"
        )
    if not isinstance(cursor, str):
        raise InvalidDefinition(f"{whose} gives {cursor!r} as its cursor; expected a text, such as {str(cursor)!r}")
    if len(cursor) > MOST_CURSOR:
        raise InvalidDefinition(
            f"{whose} gives a cursor of {len(cursor):,} characters; at most {MOST_CURSOR:,} are recorded, so put the "
            "data into a table or a file and its place into the cursor"
        )


def _keys(
    whose: str, what: str, changes: object, known: Mapping[str, DynamicPartitions], graph: Callable[[], AssetGraph]
) -> dict[str, tuple[str, ...]]:
    """Return keys by the name of their partitions."""
    if not isinstance(changes, Mapping):
        raise InvalidDefinition(f"{whose} gives {changes!r} as {what}; expected keys by the name of their partitions")
    found: dict[str, tuple[str, ...]] = {}
    for partitions, keys in cast("Mapping[object, object]", changes).items():
        name = partitions.name if isinstance(partitions, DynamicPartitions) else partitions
        if not isinstance(name, str) or name not in known:
            hint = did_you_mean(str(name), known, otherwise=" `deltaworks list` shows which partitions there are.")
            raise InvalidDefinition(f"{whose}: {what} names {name!r}, which are no dynamic partitions.{hint}")
        if isinstance(keys, str) or not isinstance(keys, Collection):
            raise InvalidDefinition(f"{whose}: {what} of {name!r} is {keys!r}; expected a list of keys")
        chosen = tuple(dict.fromkeys(cast("Collection[str]", keys)))
        problem = next(filter(None, map(key_problem, chosen)), None)
        if len(chosen) > MOST_KEYS:
            problem = f"{len(chosen):,} keys at one tick are more than {MOST_KEYS:,}; change some at a time"
        if problem is None and what == "add_partitions":
            problem = key_refusal(graph(), known[name], chosen)
        if problem:
            raise InvalidDefinition(f"{whose}: {what} of {name!r}: {problem}")
        found[plain(name)] = tuple(map(plain, chosen))
    return found
