"""Two backfills of the same partitions at once, of a new lake and of an old one: no row is there twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.forks import Forks
from tests.campaign.recorder import Row, recorded
from tests.campaign.survivor import Survivor
from tests.exactness.processes import without_claims


def race(row: Row, rounds: int, folder: Path, server: Forks) -> None:
    """Let two make everything, and make everything again; their claims are deleted, so that neither waits."""
    for number in range(0, rounds, 2):
        survivor = Survivor.at(folder / f"{number}", server)
        for command in (("backfill",), ("backfill", "--only", "all")):
            with without_claims(survivor.project.lake / "_deltaworks" / "claims" / "work"):
                started = [survivor.start(*command, generation=1) for _ in range(2)]
                ended = [survivor.hear(run_id, fork.wait()) for run_id, fork in started]
            said = "\n".join(each.said for each in ended)
            # Of two that are told to make everything, one is told which partitions the other has made meanwhile.
            codes = {0} if len(command) == 1 else {0, 1}
            row.count(
                survivor.look(), also={each.code for each in ended} <= codes and "Traceback" not in said, said=said
            )
        again = survivor.run("backfill")
        assert again.code == 0, again.said
        assert survivor.statuses() == {"fresh"}


def test_two_backfills_at_once_double_nothing(server: Forks, tmp_path: Path) -> None:
    with recorded("two backfills of the same partitions") as row:
        race(row, 2, tmp_path, server)


@pytest.mark.soak
def test_two_hundred_rounds_of_two_backfills_at_once_double_nothing(server: Forks, tmp_path: Path) -> None:
    with recorded("two backfills of the same partitions") as row:
        race(row, 200, tmp_path, server)
