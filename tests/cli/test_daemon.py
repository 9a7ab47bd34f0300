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

SETTINGS = """
modules = ["daemon_shops"]
[environments.prod]
lake = "prod-lake"
"""


def test_runs_of_a_daemon_and_its_code_location_are_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deltaworks.toml").write_text(SETTINGS)
    (tmp_path / "daemon_shops.py").write_text("")
    made: dict[str, Any] = {}
    engine = "deltaworks.engine.automation"
    monkeypatch.setattr(f"{engine}.run_pool.RunPool", lambda program, *_: made.update(program=program))
    monkeypatch.setattr(f"{engine}.location.Location", lambda load, _environ: made.update(load=load))
    monkeypatch.setattr(f"{engine}.daemon.Daemon", lambda _parts: None)
    session = Session(tmp_path, None, None, None, output(as_json=False), environment="prod")
    made_daemon(session)

    lakes: list[str] = []

    def begin(store: Any, *_: object) -> bool:
        lakes.append(store.uri(""))
        return True

    order = {
        "launch": asdict(Launch("morning", "1", "r1", 1)),
        "arguments": ["job", "run", "daily"],
        "config": {},
        "since": "2026-01-01",
    }
    monkeypatch.setattr(run_child, "begin_launch", begin)
    monkeypatch.setattr(run_child, "app", lambda: made.update(asked=sys.argv))
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(order) + "\n"))
    monkeypatch.setattr(sys, "argv", [])
    run_child.main(made["program"][4:])

    assert made["load"].args == (session.origin(),)
    assert [uri.rstrip("/") for uri in lakes] == [str(tmp_path / "prod-lake")]
    assert made["asked"] == ["deltaworks", "job", "run", "daily", f"--project={tmp_path}", "--environment=prod"]
