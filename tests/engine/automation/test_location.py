"""The daemon lives through whatever the process of its code location tells."""

from __future__ import annotations

import datetime as dt
import os
from multiprocessing.connection import Connection
from typing import Any

import pytest

from deltaworks.engine.automation.location import Location
from deltaworks.engine.automation.location_process import Answer, Loaded
from deltaworks.engine.definitions.automation.tick import Tick

UNREADABLE = b"cno_such_module\nShop\n."
"""A pickle of something whose class the daemon cannot import."""
WHY = "was ended since it told what cannot be read (ModuleNotFoundError: No module named 'no_such_module')"


class Started:
    """Stands for a process; the test has the other end of its wire."""

    pid = 1
    wires: list[Connection]

    def __init__(self, *_: object, pass_fds: tuple[int], **_named: object) -> None:
        self.wires.append(Connection(os.dup(pass_fds[0])))

    def poll(self) -> int | None:
        return None

    def wait(self, timeout: float | None = None) -> int:
        return 0


def load() -> Any:
    raise AssertionError


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    monkeypatch.setattr("subprocess.Popen", Started)
    monkeypatch.setattr("os.killpg", lambda _pid, _signal: None)
    monkeypatch.setattr(Started, "wires", [], raising=False)
    return Started.wires


def test_an_answer_that_cannot_be_read_is_none_and_another_process_is_started(wires: list[Connection]) -> None:
    location = Location(load, {})
    location.hear(0.0)
    wires[0].send(Loaded(()))
    location.hear(1.0)
    number = location.ask(Tick("morning", dt.datetime(2026, 1, 1, tzinfo=dt.UTC)), 60.0, 1.0)

    wires[0].send_bytes(UNREADABLE)

    assert location.hear(2.0) == [Answer(number, None, f"the process of the code location {WHY} before it answered")]
    location.hear(3.0)
    assert (len(wires), location.fault) == (2, None)
    wires[1].send_bytes(UNREADABLE)
    location.hear(4.0)
    assert location.fault == f"its process {WHY} while it was loaded"
    location.close()
