"""StepValues: what steps gave, for the steps that read it: in memory, and in the run's folder if there is a lake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import polars as pl

from deltaworks.engine.definitions.ops.sources import Path
from deltaworks.engine.execution.jobs.op_call import Returned
from deltaworks.engine.planning.step_agenda import GivenValue
from deltaworks.engine.planning.step_graph import StepId
from deltaworks.io.dtypes import Json
from deltaworks.io.step_records import StepRecords


class StepValues:
    """The values of one run. Steps that run at once may use it at once.

    A lazy frame is computed once, when its step ends, however many steps read it.
    """

    def __init__(self, records: StepRecords | None) -> None:
        self._records = records
        self._in_memory: dict[Path, dict[GivenValue, Any]] = {}
        self._stored: dict[Path, dict[GivenValue, Json]] = {}

    def put(self, step: StepId, number: int, returned: Returned) -> Json:
        """Keep what a step gave; return where it is stored, by output; `number` is the step's own in the run.

        Raises:
            StorageError: the lake cannot be written.
            PolarsError: the rows of a lazy frame cannot be computed.
        """
        stored: Json = {
            output: self._put(GivenValue(step, output), f"{number}-{output}", value)
            for output, value in returned.values.items()
        }
        for output, fan in returned.fans.items():
            stored[output] = [
                [key, self._put(GivenValue(step, output, key), f"{number}-{output}-{place}", value)]
                for place, (key, value) in enumerate(fan.items())
            ]
        return stored

    def recorded(self, step: StepId, stored: Json) -> None:
        """Take over what a step has stored, in another process or in an earlier run."""
        places = self._stored.setdefault(step.path, {})
        for output, where in stored.items():
            if isinstance(where, list):
                fan = cast("list[tuple[str, Json]]", where)
                for key, each in fan:
                    places[GivenValue(step, output, key)] = each
            else:
                places[GivenValue(step, output)] = where

    def place(self, value: GivenValue) -> Json | None:
        """Return where a value is stored; none: nowhere."""
        where = self._stored.get(value.step.path, {}).get(value)
        return None if where is None or "lost" in where else where

    def take_over(self, places: Mapping[GivenValue, Json]) -> None:
        """Know of values where they are stored."""
        for value, where in places.items():
            self._stored.setdefault(value.step.path, {})[value] = where

    def read(self, value: GivenValue) -> Any:
        """Return what a step gave.

        Raises:
            StorageError: what an earlier run stored is there no more.
        """
        in_memory = self._in_memory.get(value.step.path, {})
        if value in in_memory:
            return in_memory[value]
        assert self._records is not None, "what is in no memory was recorded"
        return self._records.read_value(self._stored[value.step.path][value])

    def outputs(self, step: StepId, given: Sequence[str], keys: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
        """Return all that a step gave, by output; of a dynamic one by key."""
        return {
            output: {key: self.read(GivenValue(step, output, key)) for key in keys[output]}
            if output in keys
            else self.read(GivenValue(step, output))
            for output in given
        }

    def release(self, path: Path) -> None:
        """Forget what the steps of an op gave."""
        self._in_memory.pop(path, None)
        self._stored.pop(path, None)

    def forget(self) -> None:
        """Forget everything; what is stored stays."""
        self._in_memory.clear()
        self._stored.clear()

    def _put(self, place: GivenValue, name: str, value: Any) -> Json:
        is_lazy = isinstance(value, pl.LazyFrame)
        in_memory = self._in_memory.setdefault(place.step.path, {})
        if self._records is None:
            in_memory[place] = value.collect().lazy() if is_lazy else value
            return {}
        if isinstance(value, pl.LazyFrame | pl.DataFrame):
            where = self._records.write_frame(name, value)
        else:
            where = self._records.write_value(name, value)
        in_memory[place] = self._records.read_value(where) if is_lazy else value
        return where


def lost_in(stored: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Yield the outputs that are stored nowhere, each with the reason."""
    for output, where in stored.items():
        # Of a dynamic one each key stands with where its value is.
        fan: list[list[Json]] = where if isinstance(where, list) else [[{}, where]]  # pyright: ignore[reportUnknownVariableType]
        yield from ((output, place["lost"]) for _, place in fan if "lost" in place)
