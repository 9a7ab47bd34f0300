"""A process that is gone is seen to be gone, and no other is taken for it."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from deltaworks.io.process import Process


@pytest.fixture
def ended() -> Process:
    """A process that lived a moment ago."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = replace(Process.current(), pid=child.pid, born=_born(child.pid))
        assert not process.is_gone()
    return process


def _born(pid: int) -> str | None:
    told = subprocess.run(
        [sys.executable, "-c", f"from deltaworks.io.process import _born; print(_born({pid}) or '')"],
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.strip() or None


def test_this_process_lives():
    assert not Process.current().is_gone()


def test_a_process_that_has_ended_is_gone(ended):
    assert ended.is_gone()
    assert replace(ended, born=None).is_gone()


def test_nothing_is_seen_of_another_machine_another_boot_or_another_namespace(ended):
    assert not replace(ended, host="elsewhere").is_gone()
    if ended.born is not None:
        boot, namespace, start = ended.born.split(" ")
        assert not replace(ended, born=f"x{boot[1:]} {namespace} {start}").is_gone()
        assert not replace(ended, born=f"{boot} pid:[1] {start}").is_gone()


def test_another_process_with_the_same_id_is_not_taken_for_it():
    here = Process.current()
    if here.born is not None:
        sight, _, start = here.born.rpartition(" ")
        assert replace(here, born=f"{sight} {int(start) - 1}").is_gone()


def test_a_process_that_has_ended_and_was_not_asked_about_is_gone():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = replace(Process.current(), pid=child.pid, born=_born(child.pid))
    assert child.stdin is not None
    child.stdin.close()

    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert process.is_gone() is (process.born is not None)
    child.wait()
