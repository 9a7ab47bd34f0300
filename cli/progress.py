"""Progress: what a run tells while it goes on, as bars on a terminal and as lines elsewhere; always on stderr."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deltaworks.cli.output import Output, PlainFace, write
from deltaworks.cli.pacing import current_text, left_text, rate_text, stopping_text
from deltaworks.cli.ration import Ration
from deltaworks.cli.wording import counted
from deltaworks.engine.documents.problems import plain_reason

if TYPE_CHECKING:
    from deltaworks.engine.execution.events import (
        Event,
        PartitionRetried,
        PartitionWarned,
        RunNoted,
        SourceObserved,
        Stopping,
    )
    from deltaworks.io.asset_outcome import AssetOutcome

QUIET_S = 5.0
"""How long lines that only say how far a run is are apart."""

FEW = 20
"""Of up to so many assets, the end of each is told."""

_AT_ONCE = 3
"""How many assets a line tells about."""

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


def going_on(assets: Sequence[AssetOutcome]) -> str:
    """Return how far those assets are of which calls go on, in one line; empty: of none."""
    going = [each for each in assets if each.current is not None]
    told = "; ".join(f"{each.asset} {_far(each)}" for each in going[:_AT_ONCE])
    return f"{told}; and {len(going) - _AT_ONCE} more" if len(going) > _AT_ONCE else told


def _far(each: AssetOutcome) -> str:
    failed = f"{each.failed:,} failed" if each.failed else ""
    parts = (failed, rate_text(each), left_text(each), f"now {current_text(each) or 'the whole table'}")
    return ", ".join((f"{each.materialized:,}/{each.planned:,} committed", *filter(None, parts)))


def _told(
    event: PartitionRetried | PartitionWarned | SourceObserved | RunNoted | Stopping,
) -> str:
    """Return what happened, where that is told each time."""
    # Imported here: events belong to the engine, which --help must not load.
    from deltaworks.engine.execution import events

    match event:
        case events.PartitionRetried(reason=reason, delay_s=delay_s):
            return f"again in {delay_s:.1f} s: {reason}"
        case events.PartitionWarned(asset, key, warnings):
            return f"warning: {f'{asset} {key}'.rstrip()}: {'; '.join(warnings)}"
        case events.SourceObserved(asset, partitions, error):
            found = f"{counted(partitions, 'partition')} changed" if partitions else "nothing changed"
            return f"failed: {error}" if error else f"{asset}: observed, {found}"
        case events.RunNoted(note):
            return f"note: {note}"
        case events.Stopping(reason, is_urgent):
            return stopping_text(reason, is_urgent=is_urgent)


class Lines:
    """Lines: how far the run is, one every few seconds at most, and what went wrong, as it comes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin; `clock` never goes back."""
        self._clock = clock
        self._planned: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._reasons: set[tuple[str, str]] = set()
        self._ration = Ration()
        self._said_s = 0.0
        """When the last line was printed that says how far the run is."""

    def __call__(self, event: Event) -> None:
        """Print an event."""
        # Imported here: events belong to the engine, which --help must not load.
        from deltaworks.engine.execution import events

        match event:
            case events.RunStarted(run_id, planned):
                self._planned = {str(asset): count for asset, count in planned.items()}
                what = f"{counted(sum(planned.values()), 'partition')} of {counted(len(planned), 'asset')}"
                self._print(f"run {run_id}: {what}")
                self._said_s = self._clock()
            case events.PartitionsCommitted(asset, version, partitions, rows):
                self._committed(str(asset), version, partitions, rows)
            case events.RunProgressed(assets):
                told = going_on(assets)
                if told and self._is_due():
                    self._print(told)
            case events.PartitionFailed(asset, key, reason):
                plain = plain_reason(str(asset), key, reason)
                if (str(asset), plain) not in self._reasons and len(self._reasons) < SHOWN_REASONS:
                    self._reasons.add((str(asset), plain))
                    self._print(f"failed: {reason}")
            case events.PartitionBlocked() | events.PartitionSkipped() | events.RunEnded():
                pass  # stands in the report
            case events.StepStarted() | events.StepEnded():
                pass  # stands in the report, and in the run's log
            case events.PartitionRetried() | events.PartitionWarned():
                line = self._ration.of(
                    "retries" if isinstance(event, events.PartitionRetried) else "warnings", _told(event)
                )
                if line is not None:
                    self._print(line)
            case _:
                self._print(_told(event))

    def _committed(self, name: str, version: int, partitions: int, rows: int) -> None:
        """Say what a commit has done, if it is time; that of the first is told, and of few assets the end of each."""
        is_first = not self._done
        done = self._done[name] = self._done.get(name, 0) + partitions
        is_end = done == self._planned[name] and len(self._planned) <= FEW
        if self._is_due() or is_first or is_end:
            of = f"{done:,}/{self._planned[name]:,}"
            self._print(f"{name}: {of} committed (version {version}: {counted(rows, 'row')})")

    def _is_due(self) -> bool:
        """Whether it is time for a line that says how far the run is; then it counts as printed."""
        now_s = self._clock()
        if now_s - self._said_s < QUIET_S:
            return False
        self._said_s = now_s
        return True

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
