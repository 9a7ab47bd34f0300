"""`deltaworks automation list|start|stop|ticks`: which conditions there are, whether they are on, what they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.automations import MostTicksOption, somebody, ticks_view
from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.output import Cell, Table, View
from deltaworks.errors import RequestError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AssetsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ASSET]...", help="Assets; none: all conditions of the lake at once.")
]


def list_conditions(session: Session) -> ExitCode:
    """List which assets have conditions, and how many partitions wait."""
    # Imported here: --help must not load the engine.
    from deltaworks.engine.documents.automations import conditions_json
    from deltaworks.io.condition_notes import read_decisions
    from deltaworks.io.switches import read_switches

    project = session.load(reads_lake=False)
    found = conditions_json(project.definitions, read_switches(project.store), read_decisions(project.store))
    session.output.show(View(found, tuple(_lines(found["conditions"], are_on=found["is_on"]))))
    return ExitCode.DONE


def start_conditions(session: Session, assets: AssetsArgument = None) -> ExitCode:
    """Let daemons act on conditions; they go on from what is in the lake now."""
    return _switch(session, assets or [], is_on=True)


def stop_conditions(session: Session, assets: AssetsArgument = None) -> ExitCode:
    """Let daemons begin nothing more that conditions ask for; runs that go on are not touched."""
    return _switch(session, assets or [], is_on=False)


def condition_ticks(session: Session, most: MostTicksOption = 20) -> ExitCode:
    """Show what ticks of conditions asked for and left; the latest first."""
    # Imported here: --help must not load the engine.
    from deltaworks.io.condition_notes import NAME
    from deltaworks.io.ticks import read_ticks

    session.output.show(ticks_view(read_ticks(session.open_lake(), NAME, most)))
    return ExitCode.DONE


def _lines(documents: Sequence[Mapping[str, Any]], *, are_on: bool) -> list[Cell | Table]:
    if not documents:
        return [Cell("No asset has a condition; @asset(automation=AutomationCondition.eager()) gives it one.", "quiet")]
    quiet = Cell("-", "quiet")
    rows = [
        (
            Cell(each["asset"], "strong"),
            Cell("on", "good") if each["is_on"] else Cell("off", "quiet"),
            each["condition"],
            f"{each['max_per_tick']:,}",
            *(f"{each[word]:,}" if each[word] else quiet for word in ("requested", "waiting", "held")),
        )
        for each in documents
    ]
    table = Table(("asset", "is", "condition", "at a time#", "requested#", "waiting#", "held#"), rows)
    off = Cell("Automation is stopped; `deltaworks automation start` starts it.", "stale")
    return [table] if are_on else [table, off]


def _switch(session: Session, assets: Sequence[str], *, is_on: bool) -> ExitCode:
    # Imported here: --help must not load the engine.
    from deltaworks.engine.automation.switching import switch_conditions
    from deltaworks.engine.documents.automations import automated

    project = session.load(reads_lake=False)
    known, by, at = automated(project.definitions), somebody(), session.now()
    unknown = next((each for each in assets if each not in known), None)
    if unknown is not None:
        hint = did_you_mean(unknown, known, otherwise=" `deltaworks automation list` shows which have.")
        raise RequestError(f"There is no asset {unknown!r} that has a condition.{hint}")
    for key in (known[each].key if each else None for each in assets or [""]):
        switch_conditions(project.store, key, is_on=is_on, by=by, at=at)
    word = "started" if is_on else "stopped"
    whose = [f"automation of {each}" for each in assets] or ["automation"]
    document = {"is_on": is_on, "assets": list(assets)}
    session.output.show(View(document, tuple(Cell(f"{each}: {word}", "good") for each in whose)))
    return ExitCode.DONE


def add_to(group: typer.Typer) -> None:
    """Add the commands to those about automation."""
    add(group, "list", list_conditions)
    add(group, "start", start_conditions)
    add(group, "stop", stop_conditions)
    add(group, "ticks", condition_ticks)
