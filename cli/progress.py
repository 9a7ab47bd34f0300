"""Progress: what a run tells while it goes on, as bars on a terminal and as lines elsewhere; always on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deltaworks.cli.output import Output, PlainFace, write
from deltaworks.cli.wording import counted, plain_reason

if TYPE_CHECKING:
    from deltaworks.engine.execution.events import Event

SHOWN_REASONS = 5
"""How many reasons of failures are spelled out, once each, while a run goes on; the report at its end has more."""


@contextmanager
def progress(output: Output) -> Generator[Callable[[Event], None]]:
    """Yield where a run's events go."""
    logger = logging.getLogger("deltaworks")
    if output.is_terminal and sys.stderr.isatty():
        # Imported here: rich's progress bars are needed only on a terminal.
        from deltaworks.cli.bars import bars

        with bars() as (tell, handler), _logging(logger, handler):
            yield tell
    else:
        with _logging(logger, logging.StreamHandler(sys.stderr)):
            is_one = isinstance(output, PlainFace) and output.shares(sys.stderr)
            yield _beside_report(Lines()) if is_one else Lines()


def _beside_report(tell: Callable[[Event], None]) -> Callable[[Event], None]:
    """Return what tells of a run only what its report at the end does not."""
    # Imported here: events belong to the engine, which --help must not load.
    from deltaworks.engine.execution import events

    def tell_rest(event: Event) -> None:
        if not isinstance(event, events.PartitionFailed | events.SourceObserved):
            tell(event)

    return tell_rest


class Lines:
    """One line for each commit and failure."""

    def __init__(self) -> None:
        self._planned: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._reasons: set[tuple[str, str]] = set()

    def __call__(self, event: Event) -> None:
        """Print an event."""
        # Imported here: events belong to the engine, which --help must not load.
        from deltaworks.engine.execution import events

        match event:
            case events.RunStarted(run_id, planned):
                self._planned = {str(asset): count for asset, count in planned.items()}
                what = f"{counted(sum(planned.values()), 'partition')} of {counted(len(planned), 'asset')}"
                self._print(f"run {run_id}: {what}")
            case events.PartitionsCommitted(asset, version, partitions, rows):
                name = str(asset)
                self._done[name] = self._done.get(name, 0) + partitions
                of = f"{self._done[name]:,}/{self._planned[name]:,}"
                self._print(f"{name}: {of} committed (version {version}: {counted(rows, 'row')})")
            case events.PartitionFailed(asset, key, reason):
                plain = plain_reason(str(asset), key, reason)
                if (str(asset), plain) not in self._reasons and len(self._reasons) < SHOWN_REASONS:
                    self._reasons.add((str(asset), plain))
                    self._print(f"failed: {reason}")
            case events.PartitionRetried(reason=reason, delay_s=delay_s):
                self._print(f"again in {delay_s:.1f} s: {reason}")
            case events.PartitionSkipped(asset, key, version, by):
                self._print(f"skipped: {f'{asset} {key}'.rstrip()} was made by {by} meanwhile (version {version})")
            case events.PartitionWarned(asset, key, warnings):
                self._print(f"warning: {f'{asset} {key}'.rstrip()}: {'; '.join(warnings)}")
            case events.SourceObserved(asset, partitions, error):
                found = f"{counted(partitions, 'partition')} changed" if partitions else "nothing changed"
                self._print(f"failed: {error}" if error else f"{asset}: observed, {found}")
            case events.RunNoted(note):
                self._print(f"note: {note}")
            case events.Stopping():
                self._print("stopping: what has begun is finished and committed; Ctrl-C again ends at once")
            case events.PartitionBlocked() | events.StepStarted() | events.StepEnded() | events.RunEnded():
                pass  # stands in the report, and in the run's log

    def _print(self, line: str) -> None:
        write(sys.stderr, line)


@contextmanager
def _logging(logger: logging.Logger, handler: logging.Handler) -> Generator[None]:
    """Show what asset functions log while a run goes on."""
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
