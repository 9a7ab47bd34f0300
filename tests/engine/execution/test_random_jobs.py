"""Random graphs of ops on each executor: order, one call each, skips by the rules, and a retry of exactly the rest."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
from itertools import pairwise
from pathlib import Path

import pytest

from deltaworks.engine.definitions.ops.job import Job
from deltaworks.engine.definitions.ops.job_result import JobResult
from deltaworks.engine.definitions.ops.op import RunWhen
from deltaworks.engine.execution.endings import ENDING_OF_STEP
from deltaworks.engine.execution.jobs.job_launch import JobRequest, launch_job
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.workers.executor_kind import ExecutorKind
from deltaworks.engine.execution.workers.workers import Workers
from deltaworks.engine.planning.step_agenda import Fate
from deltaworks.engine.workspace.project import Recipe
from deltaworks.io.store import Store
from tests.engine.planning.test_step_agenda import FAILED, WITH, WITHOUT, Made, naive

MODULE = """
import json
from pathlib import Path
from typing import Any
import deltaworks as dw

HERE = Path(__file__).parent
GRAPHS = json.loads((HERE / "graphs.json").read_text())

@dw.op(out=dw.Out(is_required=False))
def work(attempt: dw.Attempt, direct: Any = None, listed: Any = None) -> Any:
    with (HERE / "calls").open("a") as calls:
        calls.write(attempt.step + "\\n")
    outcome = json.loads((HERE / "outcomes.json").read_text())[attempt.step]
    if outcome == "failed":
        raise ValueError("broken")
    return "given" if outcome == "with" else None

@dw.job
def all_of_them() -> None:
    for place, made in enumerate(GRAPHS):
        handles = []
        for number, (direct, listed, run_when) in enumerate(made):
            given = {} if direct is None else {"direct": handles[direct]}
            if listed:
                given["listed"] = [handles[each] for each in listed]
            handles.append(work.alias(f"g{place}_{number}", run_when=run_when)(**given))
"""

WORDS = {id(WITH): "with", id(WITHOUT): "without", id(FAILED): "failed"}


def made_graph(draw: random.Random) -> list[Made]:
    made: list[Made] = []
    for number in range(draw.randint(1, 8)):
        direct = draw.randrange(number) if number and draw.random() < 0.6 else None
        listed = tuple(draw.sample(range(number), draw.randint(0, min(number, 3))))
        outcomes = draw.choice([WITH, WITH, WITH, WITHOUT, FAILED]), draw.choice([WITH, WITH, WITHOUT, FAILED])
        made.append(Made(direct, listed, draw.choice(list(RunWhen)), outcomes))
    return made


def names_of(graphs: list[list[Made]]) -> list[list[str]]:
    return [[f"g{place}_{number}" for number in range(len(made))] for place, made in enumerate(graphs)]


def carried_out(folder: Path, kind: ExecutorKind, retry_of: str | None) -> tuple[JobResult, list[str]]:
    """Run the job of a folder; return what came of it and the calls in their order."""
    (folder / "calls").write_text("")
    recipe = Recipe(folder / f"{folder.name}.py", (), folder, dt.datetime.now(dt.UTC))
    definitions, graph = recipe.load()
    job = definitions.jobs["all_of_them"]
    assert isinstance(job, Job)
    load = recipe.load if kind is ExecutorKind.PROCESSES else None
    result = launch_job(
        JobRequest(job, job.partitions, retry_of=retry_of, workers=Workers(2, kind, load), is_kept_whole=False),
        definitions,
        graph,
        Store.at(str(folder / "lake"), durable=False),
        command="test",
        environ=os.environ,
        now=lambda: dt.datetime.now(dt.UTC),
        tell=lambda _: None,
        stop=Stop(),
    )
    return result, (folder / "calls").read_text().split()


def check(folder: Path, kind: ExecutorKind, seed: int, count: int) -> None:
    draw = random.Random(seed)
    folder = folder / f"random_{kind.value}_{seed}"
    folder.mkdir()
    (folder / f"{folder.name}.py").write_text(MODULE)
    graphs = [made_graph(draw) for _ in range(count)]
    document = [[(each.direct, each.listed, each.run_when.value) for each in made] for made in graphs]
    (folder / "graphs.json").write_text(json.dumps(document))

    run_id, same = None, [[False] * len(made) for made in graphs]
    for _ in range(2):
        decided = [
            [each.outcomes[0 if run_id is None or kept else 1] for each, kept in zip(made, keeps, strict=True)]
            for made, keeps in zip(graphs, same, strict=True)
        ]
        fates = [naive(made, outcomes) for made, outcomes in zip(graphs, decided, strict=True)]
        told = {
            name: WORDS[id(outcome)]
            for names, outcomes in zip(names_of(graphs), decided, strict=True)
            for name, outcome in zip(names, outcomes, strict=True)
        }
        (folder / "outcomes.json").write_text(json.dumps(told))

        result, calls = carried_out(folder, kind, run_id)

        for made, names, found, keeps in zip(graphs, names_of(graphs), fates, same, strict=True):
            assert [result.steps[name].ending for name in names] == [ENDING_OF_STEP[fate] for fate in found], (
                seed,
                made,
            )
            ran = [
                name
                for name, fate, kept in zip(names, found, keeps, strict=True)
                if fate in (Fate.SUCCESS, Fate.FAILED) and not kept
            ]
            assert sorted(name for name in calls if name in names) == sorted(ran), (seed, made)
            for name, each in zip(names, made, strict=True):
                before = [calls.index(names[parent]) for parent in each.parents if names[parent] in calls]
                assert name not in calls or all(place < calls.index(name) for place in before), (seed, made)
        run_id = result.run_id
        same = [_kept(made, found) for made, found in zip(graphs, fates, strict=True)]


def _kept(made: list[Made], fates: list[Fate]) -> list[bool]:
    """Tell which ends a retry takes over: those with nothing above them that it runs again."""
    same: list[bool] = []
    for each, fate in zip(made, fates, strict=True):
        same.append(fate is not Fate.FAILED and all(same[parent] for parent in each.parents))
    return same


@pytest.mark.parametrize(("kind", "count"), [(ExecutorKind.THREADS, 40), (ExecutorKind.PROCESSES, 15)])
def test_random_graphs_run_as_the_rules_say_and_a_retry_runs_the_rest(
    tmp_path: Path, kind: ExecutorKind, count: int
) -> None:
    check(tmp_path, kind, 1, count)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ExecutorKind)
def test_a_thousand_random_graphs(tmp_path: Path, kind: ExecutorKind) -> None:
    for first, end in pairwise(range(0, 1001, 100)):
        check(tmp_path, kind, random.SystemRandom().randrange(10**9), end - first)
