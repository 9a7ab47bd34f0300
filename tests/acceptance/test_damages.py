"""Whatever is wrong with a lake, `doctor` names exactly that, and what it says heals it: `docs/doctor.md` is kept."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.conftest import Here
from tests.acceptance.damages import DAMAGES, Damage
from tests.acceptance.test_doctor import write_project
from tests.campaign.recorder import recorded

PAGE = Path(__file__).parents[2] / "docs" / "doctor.md"


@dataclass(frozen=True)
class Told:
    """A line of the page."""

    kind: str
    says: str
    repair: str


@pytest.fixture(scope="module")
def page() -> Mapping[str, Told]:
    lines = re.findall(r"^\| (.+?) \| `(\w+)` \| (.+?) \| (.+?) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return {name: Told(*rest) for name, *rest in lines}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Here:
    """A small project, all of it made, with nothing wrong."""
    folder = tmp_path_factory.mktemp("healthy") / "project"
    folder.mkdir()
    here = write_project(Here(folder))
    assert here.run("backfill").code == 0
    assert here.run("doctor").code == 0
    return here


def test_the_page_tells_every_damage_and_no_other(page: Mapping[str, Told]) -> None:
    assert list(page) == [damage.name for damage in DAMAGES]


@pytest.mark.counted
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_doctor_finds_exactly_that_and_its_repair_heals(
    damage: Damage, page: Mapping[str, Told], healthy: Here, tmp_path: Path
) -> None:
    here = Here(shutil.copytree(healthy.folder, tmp_path / "project"))
    with recorded("every damage of docs/doctor.md") as row, row.one():
        damage.make(here)
        find_and_heal(here, page[damage.name])


def find_and_heal(here: Here, told: Told) -> None:
    (found,) = here.run("doctor", "--json").json["problems"]

    assert found["kind"] == told.kind
    assert told.says in found["message"]
    if told.repair == "`--repair`":
        assert found["deletes"]
        repaired = here.run("doctor", "--repair", "--json")
        assert (repaired.code, repaired.json["repaired"]) == (0, [found])
        return
    assert found["deletes"] == []
    assert here.run("doctor", "--repair", "--json").json == {"ok": False, "problems": [found], "repaired": []}
    follow(here, told.repair, found["repair"])
    if "upgrade" not in told.repair:
        assert here.run("backfill").code == 0
        healed = here.run("doctor", "--json")
        assert healed.code == 0, healed.out


def follow(here: Here, told: str, repair: str) -> None:
    """Do what is told: files that are to be deleted or moved away first, then the commands."""
    if "delete" in told or "move" in told:
        (path,) = re.findall(r"(?:restore|move) (/\S+)(?: away| from a backup; or delete)", repair)
        shutil.move(path, here.folder / "away")
    for command in re.findall(r"`deltaworks (.+?)`", repair):
        assert command.split()[0] in told
        assert here.run(*shlex.split(command)).code == 0
