"""Bars: a run's progress on a terminal, one bar an asset: how fast it goes, what is left, lost, and being made."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from deltaworks.cli.layout import visible
from deltaworks.cli.pacing import current_text, left_text, rate_text, stopping_text
from deltaworks.cli.ration import Ration
from deltaworks.cli.wording import counted
from deltaworks.engine.execution import events
from deltaworks.io.asset_outcome import AssetOutcome

MANY = 12
"""Of more assets than these, only those have a bar of which calls go on, below one for the whole run."""

_ALL = "all"


@contextmanager
def bars() -> Generator[tuple[Callable[[events.Event], None], logging.Handler]]:
    """Yield where events go, and a log handler that prints above the bars."""
    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[pace]}"),
        TextColumn("{task.fields[note]}", style="red"),
        TextColumn("{task.fields[current]}", style="dim"),
    )
    with Progress(*columns, console=console) as drawn:
        yield _Bars(drawn), _AboveBars(console)


class _Bars:
    def __init__(self, drawn: Progress) -> None:
        self._drawn = drawn
        self._tasks: dict[str, TaskID] = {}
        self._lost: dict[str, int] = {}
        self._is_many = False
        self._ration = Ration()

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.RunStarted(run_id, planned):
                what = f"{counted(sum(planned.values()), 'partition')} of {counted(len(planned), 'asset')}"
                self._drawn.console.print(Text(f"run {run_id}: {what}"))
                self._is_many = len(planned) > MANY
                if self._is_many:
                    self._add(_ALL, sum(planned.values()))
                for asset, count in planned.items():
                    self._add(str(asset), count, visible=not self._is_many)
            case events.RunProgressed(assets):
                for each in assets:
                    self._show(each)
            case events.PartitionsCommitted(asset=asset, partitions=partitions):
                self._advance(str(asset), partitions)
            case events.PartitionSkipped(asset=asset):
                self._advance(str(asset), 1)
            case events.PartitionFailed(asset=asset) | events.PartitionBlocked(asset=asset):
                self._note(str(asset))  # why stands in the report
            case events.RunEnded():
                for task in self._tasks.values():
                    self._drawn.update(task, pace="", current="")
            case events.SourceObserved() | events.StepStarted() | events.StepEnded():
                pass  # stands in the report, and in the run's log
            case _:
                self._tell(event)

    def _tell(
        self, event: events.PartitionRetried | events.PartitionWarned | events.RunNoted | events.Stopping
    ) -> None:
        """Print above the bars what happened."""
        match event:
            case events.PartitionRetried(reason=reason, delay_s=delay_s):
                self._rationed("retries", f"again in {delay_s:.1f} s: {reason}")
            case events.PartitionWarned(asset, key, warnings):
                self._rationed("warnings", f"warning: {f'{asset} {key}'.rstrip()}: {'; '.join(warnings)}")
            case events.RunNoted(note):
                self._drawn.console.print(Text(f"note: {visible(note)}", style="yellow"))
            case events.Stopping(reason, is_urgent):
                self._drawn.console.print(Text(visible(stopping_text(reason, is_urgent=is_urgent))))

    def _rationed(self, kind: str, line: str) -> None:
        told = self._ration.of(kind, line)
        if told is not None:
            self._drawn.console.print(Text(visible(told), style="yellow"))

    def _add(self, name: str, total: int, *, visible: bool = True) -> None:
        self._tasks[name] = self._drawn.add_task(name, total=total, visible=visible, note="", pace="", current="")

    def _show(self, outcome: AssetOutcome) -> None:
        pace = " ".join(filter(None, (rate_text(outcome), left_text(outcome))))
        is_visible = not self._is_many or outcome.current is not None
        self._drawn.update(self._tasks[outcome.asset], pace=pace, current=current_text(outcome), visible=is_visible)

    def _advance(self, asset: str, partitions: int) -> None:
        for name in (asset, *((_ALL,) if self._is_many else ())):
            self._drawn.advance(self._tasks[name], partitions)

    def _note(self, asset: str) -> None:
        for name in (asset, *((_ALL,) if self._is_many else ())):
            self._lost[name] = self._lost.get(name, 0) + 1
            self._drawn.update(self._tasks[name], note=f"{self._lost[name]} not made")


class _AboveBars(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(Text(visible(self.format(record))))
