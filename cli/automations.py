"""Automations: what the commands about schedules and those about sensors have in common."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.wording import counted
from deltaworks.engine.documents.instants import instant_text
from deltaworks.engine.documents.ticks import asked_text, requests_json, tick_json
from deltaworks.errors import UnknownAutomation

if TYPE_CHECKING:
    from deltaworks.cli.command import Session
    from deltaworks.io.ticks import TickEntry

MostTicksOption = Annotated[int, typer.Option("-n", metavar="N", min=1, help="How many ticks.")]
RetryOption = Annotated[
    str | None,
    typer.Option("--retry", metavar="TICK", help="Have the runs of this tick begun that were given up."),
]

_TONES = {"started": "good", "requested": "good", "skipped": "quiet", "failed": "bad"}


def refuse_unknown(kind: str, names: Sequence[str], known: Collection[str]) -> None:
    """Refuse names that no schedule or sensor has; `kind` says of which of the two they are.

    Raises:
        UnknownAutomation: there is one.
    """
    for name in names:
        if name not in known:
            raise UnknownAutomation(kind, name, known)


def show_switched(session: Session, kind: str, names: Sequence[str], *, is_on: bool) -> None:
    """Say that schedules or sensors were started or stopped."""
    word = "started" if is_on else "stopped"
    document = {f"{kind}s": [{kind: name, "is_on": is_on} for name in names]}
    session.output.show(View(document, tuple(Cell(f"{kind} {name}: {word}", "good") for name in names)))


def show_ticks(session: Session, kind: str, name: str, most: int, retried: str | None) -> None:
    """Show the ticks of a schedule or sensor, or try one of them again.

    Raises:
        RequestError: there is nothing to try again.
        StorageError: the lake cannot be read or written.
    """
    # Imported here: --help must not load the engine.
    from deltaworks.engine.automation.given_up import retry_tick
    from deltaworks.io.ticks import TickKind, number_id, read_ticks

    store = session.open_lake()
    if retried is None:
        session.output.show(ticks_view(read_ticks(store, name, most)))
        return
    tick_id = number_id(int(retried)) if kind == TickKind.SENSOR and retried.isdecimal() else retried
    runs = retry_tick(store, name, TickKind(kind), tick_id)
    document = {"name": name, "tick": tick_id, "retried": requests_json(runs)}
    told = (
        f"{kind} {name}: {counted(len(runs), 'run')} of tick {retried} asked for again; a daemon begins what it finds"
    )
    session.output.show(View(document, (requests_table(runs), Cell(told, "good"))))


def ticks_view(ticks: Sequence[TickEntry]) -> View:
    """Return ticks, the latest first."""
    document = {"ticks": [tick_json(tick) for tick in ticks]}
    if not ticks:
        return View(document, (Cell("There are no ticks yet; `deltaworks daemon` makes them.", "quiet"),))
    rows = [
        (
            tick.tick_id.lstrip("0"),
            instant_text(tick.scheduled_at),
            Cell(tick.outcome.value, _TONES[tick.outcome.value]),
            f"{tick.attempt}",
            Cell(_said(tick), "bad" if tick.error else ""),
        )
        for tick in ticks
    ]
    return View(document, (Table(("tick", "at (UTC)", "outcome", "attempt#", "what it asked for"), rows),))


def requests_table(requests: Sequence[Any]) -> Table:
    """Return requests as a table."""
    quiet = Cell("-", "quiet")
    rows = [
        (
            Cell(each.job, "strong"),
            each.partition or quiet,
            each.run_key or quiet,
            ", ".join(f"{key}={value}" for key, value in each.tags.items()) or quiet,
        )
        for each in requests
    ]
    return Table(("job", "partition", "run key", "tags"), rows)


def somebody() -> str:
    """Say who changes something, for those who wonder later."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"  # a container's user may have no name
    return f"{user}@{socket.gethostname()}"


def _said(tick: TickEntry) -> str:
    if tick.error is not None:
        again = "" if tick.retry_at is None else f"; tried again at {instant_text(tick.retry_at)}"
        return f"{tick.error}{again}"
    left = sum(tick.left.values())
    waits = f"; {counted(left, 'partition')} wait" if left else ""
    if not tick.requests:
        return f"{tick.skip_reason or 'nothing'}{waits}"
    first = ", ".join(map(asked_text, tick.requests[:3]))
    more = f" and {len(tick.requests) - 3:,} more" if len(tick.requests) > 3 else ""
    return f"{counted(len(tick.requests), 'run')}: {first}{more}{waits}"
