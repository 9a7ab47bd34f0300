"""Whatever is done to a lake, by the engine or by others, status, plans and rows are what a naive oracle says.

Runs, edits, rollbacks, wipes, outside writes, compactions, lost caches, dropped tables, keys that come and go, and
crashes come in any order; after each of them the whole lake is compared. That is done to several small projects, which
have every kind of partitions and of mappings among them.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.campaign.recorder import recorded
from tests.exactness import (
    calendar_project,
    chain_project,
    clock_project,
    cube_project,
    keys_project,
    small_project,
    view_project,
)
from tests.exactness.machine import LakeMachine
from tests.exactness.project import SmallProject

MORE = [
    *clock_project.PROJECTS,
    *(module.PROJECT for module in (calendar_project, keys_project, cube_project, chain_project, view_project)),
]


def _check(project: SmallProject, examples: int, steps: int, *, is_soak: bool = False) -> int:
    """Let so many lakes live; return how many did."""
    lakes = 0

    def machine() -> LakeMachine:
        nonlocal lakes
        lakes += 1
        return LakeMachine(project)

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=not is_soak,
            print_blob=True,
            phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
    return lakes


def test_the_engine_agrees_with_a_naive_oracle_whatever_happens() -> None:
    _check(small_project.PROJECT, examples=5, steps=30)


@pytest.mark.parametrize("project", MORE, ids=lambda project: project.name)
def test_it_does_so_with_every_kind_of_partitions_and_mappings(project: SmallProject) -> None:
    _check(project, examples=2, steps=14)


@pytest.mark.soak
@pytest.mark.parametrize("project", [small_project.PROJECT, *MORE], ids=lambda project: project.name)
def test_the_engine_agrees_with_a_naive_oracle_for_long(project: SmallProject) -> None:
    with recorded("simulated lakes") as row:
        examples = 400 if project is small_project.PROJECT else 120
        row.tried = row.survived = _check(project, examples, steps=50, is_soak=True)
