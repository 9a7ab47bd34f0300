"""Bars: a run's progress on a terminal, one bar an asset."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from deltaworks.engine.execution import events


@contextmanager
def bars() -> Generator[tuple[Callable[[events.Event], None], logging.Handler]]:
    """Yield where events go, and a log handler that prints above the bars."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}", style="red"), console=console) as drawn:
        yield _Bars(drawn), _AboveBars(console)


class _Bars:
    def __init__(self, drawn: Progress) -> None:
        self._drawn = drawn
        self._tasks: dict[str, TaskID] = {}
        self._lost: dict[str, int] = {}

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.RunStarted(_, planned):
                for asset, count in planned.items():
                    self._tasks[str(asset)] = self._drawn.add_task(str(asset), total=count, note="")
            case events.PartitionsCommitted(asset=asset, partitions=partitions):
                self._drawn.advance(self._tasks[str(asset)], partitions)
            case events.PartitionFailed(asset=asset):
                self._note(str(asset))  # why stands in the report
            case events.PartitionBlocked(asset=asset):
                self._note(str(asset))
            case events.PartitionRetried(reason=reason, delay_s=delay_s):
                self._drawn.console.print(Text(f"again in {delay_s:.1f} s: {reason}", style="yellow"))
            case events.PartitionSkipped(asset=asset):
                self._drawn.advance(self._tasks[str(asset)])
            case events.PartitionWarned(asset, key, warnings):
                self._drawn.console.print(Text(f"warning: {asset} {key}: {'; '.join(warnings)}", style="yellow"))
            case events.SourceObserved() | events.StepStarted() | events.StepEnded() | events.RunEnded():
                pass  # stands in the report, and in the run's log
            case events.RunNoted(note):
                self._drawn.console.print(Text(f"note: {note}", style="yellow"))
            case events.Stopping():
                self._drawn.console.print("stopping: what has begun is finished; Ctrl-C again ends at once")

    def _note(self, asset: str) -> None:
        self._lost[asset] = self._lost.get(asset, 0) + 1
        self._drawn.update(self._tasks[asset], note=f"{self._lost[asset]} not made")


class _AboveBars(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(Text(self.format(record)))
