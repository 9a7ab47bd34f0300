"""A survivor: a lake on which runs end in whatever way, and which is looked at after each of them."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deltaworks.engine.execution.observe import observe
from deltaworks.engine.planning.status import Status
from deltaworks.engine.workspace.project import Origin, load_project
from tests.campaign.checker import Checker, Rows, Verdict
from tests.campaign.forks import Ended, Fork, Forks
from tests.campaign.generations import ASSETS, Generations, made
from tests.exactness.naive import Change, History

_MADE = re.compile(r"\(run (?P<run>\S+)\)")


@dataclass
class Survivor:
    """One lake of the project of generations."""

    project: Generations
    server: Forks
    generations: dict[str, int] = field(default_factory=dict[str, int])
    """By run."""

    @classmethod
    def at(cls, folder: Path, server: Forks, template: Generations | None = None) -> Survivor:
        """Begin with an empty lake, or with a copy of one that is made."""
        if template is None:
            return cls(Generations(folder).write(), server)
        shutil.copytree(template.folder, folder)
        survivor = cls(Generations(folder), server)
        (said,) = (file.read_text("utf-8") for file in folder.glob("said-*.txt"))
        found = _MADE.search(said)
        assert found
        survivor.generations[found["run"]] = 1
        return survivor

    def __post_init__(self) -> None:
        self.checker = Checker(self.project.lake, self.made)

    def made(self, asset: str, key: str, change: Change, histories: Mapping[str, History]) -> Rows:
        """Return what a commit must have made of a partition: of the generation of its run, or of what that read."""
        if asset == "child":
            (pin,) = change.inputs.values()
            read = histories["source"].last(key, pin["version"])
            assert read is not None
            change = read
        return made(asset, key, self.generations[str(change.run_id)])

    def start(self, *command: str, failpoints: str = "", generation: int | None = None) -> tuple[str, Fork]:
        """Start a run of a generation, the next one if none is named; return its id, too."""
        number = len(self.generations) + 1
        generation, run_id = generation or number, f"20240101T000000-{number:08x}"
        self.generations[run_id] = generation
        arguments = (*command, *ASSETS, "--run-id", run_id)
        environ = {"GENERATION": str(generation)}
        return run_id, self.server.start(self.project.folder, *arguments, failpoints=failpoints, environ=environ)

    def run(self, *command: str, failpoints: str = "") -> Ended:
        """Have a run of the next generation, and hear what it acknowledges."""
        run_id, fork = self.start(*command, failpoints=failpoints)
        return self.hear(run_id, fork.wait())

    def hear(self, run_id: str, ended: Ended) -> Ended:
        """Note what a run has acknowledged."""
        self.checker.hear(run_id, ended.said)
        return ended

    def look(self) -> Verdict:
        """Compare the lake with what must be in it."""
        return self.checker.look(ASSETS)

    def commits(self) -> int:
        """How many commits there are."""
        return len(list(self.project.lake.glob("*/_delta_log/*.json")))

    def statuses(self) -> set[str]:
        """The statuses that there are, as another reader of the lake finds them."""
        project = load_project(Origin(folder=self.project.folder), {}, dt.datetime.now(dt.UTC))
        seen = observe(project.graph, project.store)
        return {Status(value).word for each in seen.status.values() for value in each.status}
