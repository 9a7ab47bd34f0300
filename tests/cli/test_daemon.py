"""A daemon's processes work on the project that its options name, whichever of them there are."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from deltaworks.cli import run_child
from deltaworks.cli.command import Session
from deltaworks.cli.commands.daemon import made_daemon
from deltaworks.cli.output import output
from deltaworks.engine.automation.launches import Launch
from deltaworks.engine.automation.maintenance import watched_maintenance
from deltaworks.engine.workspace.project import Origin
from deltaworks.io.store import Store
from deltaworks.io.ticks import TickClaim, TickKind, claim_tick

TICK = "2026-01-02T0600Z"
SETTINGS = """
modules = ["daemon_shops"]
[environments.prod]
lake = "prod-lake"
[daemon]
max_runs = 3
warm = 2
maintain = "0 3 * * *"
"""


def test_runs_of_a_daemon_and_its_code_location_are_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deltaworks.toml").write_text(SETTINGS)
    (tmp_path / "daemon_shops.py").write_text("")
    made: dict[str, Any] = {}
    engine = "deltaworks.engine.automation"
    monkeypatch.setattr(
        f"{engine}.run_pool.RunPool",
        lambda program, _environ, most, warm: made.update(program=program, most=most, warm=warm),
    )
    monkeypatch.setattr(f"{engine}.location.Location", lambda load, _environ: made.update(load=load))
    monkeypatch.setattr(f"{engine}.daemon.Daemon", lambda parts: made.update(parts=parts))
    session = Session(tmp_path, None, None, None, output(as_json=False), environment="prod")
    made_daemon(session)

    launch, lake = Launch("morning", TICK, "r1", 1), Store.at(str(tmp_path / "prod-lake"), durable=False)
    claim_tick(lake, TickClaim("morning", TICK, TickKind.SCHEDULE, 1, "d1", None))
    order = {
        "launch": asdict(launch),
        "arguments": ["job", "run", "daily"],
        "config": {},
        "since": "2026-01-01",
    }
    monkeypatch.setattr(run_child, "get_command", lambda _app: lambda: made.update(asked=sys.argv))
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(order) + "\n"))
    monkeypatch.setattr(sys, "argv", [])
    run_child.main(made["program"][4:])

    assert made["load"].args == (session.origin(),)
    assert lake.exists(launch.path)
    assert made["asked"] == ["deltaworks", "job", "run", "daily", f"--project={tmp_path}", "--environment=prod"]
    assert (made["most"], made["warm"], made["parts"].maintenance) == (3, 2, watched_maintenance("0 3 * * *"))


ONE = """
import polars as pl
import deltaworks as dw

@dw.asset
def one() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1]})
"""


@pytest.mark.parametrize(
    ("module", "code", "end"),
    [(ONE, 2, "never"), (ONE, 1, "not now"), ("half of it is writ", 2, "not now")],
)
def test_a_process_says_whether_the_project_refuses_its_run_or_could_not_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, code: int, end: str
) -> None:
    file, launch = tmp_path / "shops_alone.py", Launch("morning", TICK, "r1", 1)
    file.write_text(module)
    lake = Store.at(str(tmp_path / "lake"), durable=False)
    claim_tick(lake, TickClaim("morning", TICK, TickKind.SCHEDULE, 1, "d1", None))
    order = {"launch": asdict(launch), "arguments": [], "config": {}, "since": "2026-01-01"}
    monkeypatch.setattr(run_child, "get_command", lambda _app: lambda: sys.exit(code))
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(order) + "\n"))
    monkeypatch.setattr(sys, "argv", [])

    with pytest.raises(SystemExit):
        run_child.main([Origin(file=file, lake=str(tmp_path / "lake")).to_text()])

    assert json.loads(lake.read(launch.path) or b"")["end"] == end
