"""`deltaworks status`: what is fresh, stale, missing and external, computed from the commit logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, PartitionOption, SelectArgument, Session, add
from deltaworks.cli.freshness import freshness_lines
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.problems import own_problem_lines, problem_lines_from_above
from deltaworks.cli.wording import counted, range_text, without_lines
from deltaworks.engine.documents.plans import without_json
from deltaworks.engine.documents.problems import Problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
    from deltaworks.engine.planning.causes import StatusRange
    from deltaworks.engine.planning.status import AssetStatus, LakeStatus

_TONES = {"fresh": "good", "stale": "stale", "missing": "quiet", "external": "outside", "failed": "bad"}


def status(
    session: Session,
    select: SelectArgument = None,
    partition: PartitionOption = None,
    partitions: Annotated[bool, typer.Option("--partitions", help="Show ranges of partitions with causes.")] = False,
) -> ExitCode:
    """Show what is fresh, stale, missing, external or late."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.documents.freshness import freshness_json
    from deltaworks.engine.execution.decide import ask
    from deltaworks.engine.execution.freshness import lake_freshness

    project = session.load()
    asked = ask(project.graph, project.store, select or (), partition or ())
    lake = asked.observation.status
    chosen = [(lake[key], within) for key, within in asked.request.partitions.items()]
    problems = Problems.of(asked.observation, project.graph)
    view = _view(chosen, lake, problems, in_ranges=partitions or bool(partition))
    without = without_lines(asked.request, project.graph, takes_range=False)
    document = view.json | {"without": without_json(asked.request, project.graph)}
    fresh = lake_freshness(
        project.graph, project.store, asked.observation, session.now(), list(asked.request.partitions)
    )
    told = {str(key): freshness_json(each, project.graph) for key, each in fresh.items()}
    for each in filter(lambda each: each["asset"] in told, document["assets"]):
        each["freshness"] = told[each["asset"]]
    session.output.show(View(document, (*view.blocks, *freshness_lines(fresh, project.graph), *without)))
    return ExitCode.DONE


def _view(
    chosen: Sequence[tuple[AssetStatus, PartitionSet]], lake: LakeStatus, problems: Problems, *, in_ranges: bool
) -> View:
    from deltaworks.engine.documents.statuses import status_json, status_numbers
    from deltaworks.engine.planning.causes import status_ranges

    documents: list[dict[str, Any]] = []
    counts: list[tuple[str | Cell, ...]] = []
    ranged: list[tuple[str | Cell, ...]] = []
    causes: list[Cell] = []
    for found, within in chosen:
        numbers = status_numbers(found, within)
        # A million fresh partitions need no word.
        ranges = list(status_ranges(found, lake, within)) if in_ranges or numbers["stale"] else []
        documents.append(status_json(found, within, problems, ranges if in_ranges else None))
        if in_ranges:
            # What failed is the ledger's to say, and the document is the same without one.
            ranged += [_range_row(found, each) for each in status_ranges(found, lake, within, by_failure=True)]
        counts.append(_count_row(found, numbers))
        causes += _telling(found, ranges)
    keys = [found.node.key for found, _ in chosen]
    notes = (
        *_beyond(found for found, _ in chosen),
        *own_problem_lines(problems, keys),
        *problem_lines_from_above(problems, keys),
    )
    headings = ("asset", "version#", "partitions#", "fresh#", "stale#", "missing#", "external#", "failed#")
    if in_ranges:
        table = Table(("asset", "partitions", "#", "status", "because"), ranged)
        return View({"assets": documents}, (table, *notes))
    return View({"assets": documents}, (Table(headings, counts), *causes, *notes))


def _beyond(statuses: Iterable[AssetStatus]) -> Iterator[Cell]:
    """Say which tables have partitions that are not in the definition, and name the first of them."""
    from deltaworks.engine.documents.statuses import SHOWN_BEYOND

    for found in statuses:
        count = found.state.undefined
        if count:
            more = [f"{count - SHOWN_BEYOND:,} more"] if count > SHOWN_BEYOND else []
            some = ", ".join([*found.state.some_beyond(SHOWN_BEYOND), *more])
            beyond = f"{counted(count, 'partition')} in its table beyond the definition (undefined)"
            yield Cell(f"{found.node.key} has {beyond}: {some}", "quiet")


def _count_row(found: AssetStatus, numbers: dict[str, int]) -> tuple[str | Cell, ...]:
    version = Cell("-", "quiet") if found.state.version is None else str(found.state.version)
    columns = ("fresh", "stale", "missing", "external", "failed")
    if found.state.fault is not None:
        unknown = [Cell("?", "bad")] * (1 + len(columns))
        return (Cell(str(found.node.key), "strong"), unknown[0], f"{numbers['total']:,}", *unknown[1:])
    cells = (Cell(f"{numbers[name]:,}", _TONES[name]) if numbers[name] else Cell("0", "quiet") for name in columns)
    return (Cell(str(found.node.key), "strong"), version, f"{numbers['total']:,}", *cells)


def _telling(found: AssetStatus, ranges: Sequence[StatusRange]) -> list[Cell]:
    """Say the first cause of staleness of each asset under the table, so that a number never stands unexplained."""
    stale = [each for each in ranges if each.status.word == "stale"]
    if not stale:
        return []
    first = stale[0]
    more = f" (and {counted(len(stale) - 1, 'more range')}: --partitions)" if len(stale) > 1 else ""
    named = found.node.spelled([(first.first, first.last)])
    return [Cell(f"{named} is stale: {'; '.join(first.causes)}{more}", "stale")]


def _range_row(found: AssetStatus, each: StatusRange) -> tuple[str | Cell, ...]:
    return (
        Cell(str(found.node.key), "strong"),
        range_text(each.first, each.last, found.node.partitions),
        f"{each.last - each.first + 1:,}",
        Cell(each.status.word, _TONES[each.status.word]) if found.state.fault is None else Cell("unknown", "bad"),
        "; ".join(each.reasons),
    )


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "status", status)
