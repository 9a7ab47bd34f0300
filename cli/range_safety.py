"""Range safety: what `check --range-safe` shows of the assets that it tried."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from deltaworks.cli.command import ExitCode, Session
from deltaworks.cli.differences import difference_blocks, difference_json
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.wording import counted
from deltaworks.engine.documents.partitions import partitions_json, split_defined

if TYPE_CHECKING:
    from deltaworks.engine.definitions.keys import AssetKey
    from deltaworks.engine.execution.repairs.range_safe import Trial
    from deltaworks.engine.planning.graph import AssetGraph
    from deltaworks.engine.workspace.project import Project


def check_ranges(session: Session, project: Project, chosen: Collection[AssetKey]) -> ExitCode:
    """Try the chosen assets that may be called for ranges, and show what came of it."""
    # Imported here: --help must not load Polars.
    from deltaworks.engine.execution.entry import new_run_id
    from deltaworks.engine.execution.repairs.range_safe import try_ranges

    trials = try_ranges(
        project.definitions,
        project.graph,
        project.store,
        chosen,
        environ=os.environ,
        run_id=new_run_id(session.now()),
    )
    found = list(trials)
    session.output.show(_view(found, project.graph))
    return ExitCode.DONE if all(trial.is_safe for trial in found) else ExitCode.REFUSED


def _view(trials: list[Trial], graph: AssetGraph) -> View:
    unsafe = [trial for trial in trials if not trial.is_safe]
    document = {
        "ok": not unsafe,
        "problems": [_problem(trial, graph) for trial in unsafe],
        "range_safe": [_trial_json(trial, graph) for trial in trials],
    }
    return View(document, tuple(_blocks(trials)))


def _problem(trial: Trial, graph: AssetGraph) -> dict[str, Any]:
    where = graph.node(trial.asset).asset.where
    message = " ".join((_sentence(trial), *trial.failures))
    return {"kind": "not_range_safe", "asset": trial.asset, "message": message, "file": where.file, "line": where.line}


def _trial_json(trial: Trial, graph: AssetGraph) -> dict[str, Any]:
    partitions = graph.node(trial.asset).partitions
    made, _ = split_defined(trial.keys, partitions)
    return {
        "asset": trial.asset,
        "equal": trial.is_safe if trial.is_tried else None,
        "partitions": partitions_json(made, partitions),
        "failures": list(trial.failures),
        "difference": difference_json(trial.difference),
    }


def _blocks(trials: list[Trial]) -> Iterator[Cell | Table]:
    for trial in trials:
        if not trial.is_tried:
            yield Cell(f"{trial.asset}: not tried, since no two partitions in a row can be made now", "stale")
        elif trial.is_safe:
            yield Cell(f"{trial.asset}: the same in one range as one by one ({_tried(trial)})", "good")
        else:
            yield Cell(_sentence(trial), "bad")
            yield from (Cell(failure, "bad") for failure in trial.failures)
            if not trial.difference.is_equal:
                yield from difference_blocks(trial.difference)
    if not trials:
        yield Cell("No asset of these is called for ranges; backfill=BackfillPolicy.ranges(...) allows it.", "quiet")


def _sentence(trial: Trial) -> str:
    return (
        f"{trial.asset} is not the same in one range as one by one ({_tried(trial)}): its function looks beyond the "
        "partition that it makes. Make it right for ranges, or leave out its backfill policy."
    )


def _tried(trial: Trial) -> str:
    return (
        f"{counted(len(trial.keys), 'partition')} compared, {trial.keys[0]} to {trial.keys[-1]}"
        if trial.keys
        else ("nothing could be compared")
    )
