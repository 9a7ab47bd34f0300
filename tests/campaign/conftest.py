"""One server of forks for all tests of the campaign."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.acceptance.conftest import Here
from tests.campaign.forks import Forks, forks
from tests.campaign.generations import ASSETS, Generations


@pytest.fixture(scope="session")
def server() -> Generator[Forks]:
    with forks() as server:
        yield server


@pytest.fixture
def here(tmp_path: Path) -> Here:
    """An empty project folder, for commands in this process."""
    folder = tmp_path / "project"
    folder.mkdir()
    return Here(folder)


@pytest.fixture(scope="module")
def template(server: Forks, tmp_path_factory: pytest.TempPathFactory) -> Generations:
    """The project, all of it made by a run that nobody disturbed."""
    project = Generations(tmp_path_factory.mktemp("template") / "project").write()
    ended = server.run(project.folder, "materialize", *ASSETS, environ={"GENERATION": "1"})
    assert ended.code == 0, ended.said
    return project
