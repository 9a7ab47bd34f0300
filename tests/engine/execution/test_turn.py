"""Whose turn it is: what limits of tags hold up, and what they do not."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.sharing import Sharing
from deltaworks.engine.execution.turn import queue_turn
from deltaworks.io.ledger import write_run
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.store import Store


def entry_of(store: Store, pid: int, *tags: str) -> RunEntry:
    """The entry of a run of another machine, which lives as far as anybody can tell."""
    begun = begin_entry("a test", dt.datetime.now(dt.UTC))
    entry = replace(begun, run_id=f"run-{pid}", status=RunStatus.QUEUED, host="elsewhere", pid=pid, tags=tags)
    write_run(store, entry)
    return entry


@pytest.mark.parametrize(
    ("tags", "may_go"),
    [
        (("", "team=ops", "team=ops"), (True, True, False)),
        (("team=ops", "team=ops", ""), (True, False, True)),
        (("team=ops", "team=ops", "team=ops"), (True, False, False)),
        (("team=ops", "", ""), (True, True, False)),
        (("team=ops", "team=ops", "", ""), (True, False, True, False)),
        (("team=ops", "team=ops", "team=web"), (True, False, True)),
    ],
)
def test_a_run_waits_for_those_before_it_that_have_room_and_for_no_others(
    tmp_path: Path, tags: tuple[str, ...], may_go: tuple[bool, ...]
) -> None:
    store, sharing = Store(tmp_path, durable=False), Sharing(max_runs=2, tags={"team=ops": 1})
    with ExitStack() as stack:
        entries = [entry_of(store, pid, *([tag] if tag else [])) for pid, tag in enumerate(tags)]
        waiting = [stack.enter_context(queue_turn(store, entry, sharing)) for entry in entries]

        assert tuple(each.is_over() for each in waiting) == may_go
