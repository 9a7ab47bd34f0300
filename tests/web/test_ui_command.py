"""`deltaworks ui`: a server of its own, on the loopback interface unless a token is asked for."""

import os
import re
import signal
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from deltaworks.engine.workspace.project import Origin
from deltaworks.web.launching import Launcher
from tests.acceptance.conftest import Here
from tests.web.client import TABLES

PATIENCE_S = 120


@pytest.fixture
def project(tmp_path):
    here = Here(tmp_path)
    here.write("tables.py", TABLES)
    return here


def test_it_serves_what_it_says_until_it_is_asked_to_stop(project):
    token = project.folder / "token"
    command = ["ui", "-f", "tables.py", "--port", "0", "--token-file", str(token)]
    with subprocess.Popen(
        [sys.executable, "-m", "deltaworks", *command], cwd=project.folder, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        told = re.fullmatch(r"deltaworks ui: (http://127.0.0.1:\d+/)login#(\S+) \(Ctrl-C ends it\)\n", line)
        address, made = told.groups()
        asked = Request(f"{address}api/v1/assets", headers={"Authorization": f"Bearer {made}"})
        with urlopen(asked, timeout=PATIENCE_S) as answer:
            names = re.findall(r'"asset": "([^"]*)"', answer.read().decode())
        server.send_signal(signal.SIGTERM)
        server.wait(PATIENCE_S)

    assert names == ["orders", "mart/daily", "total"]
    assert token.read_text().strip() == made
    assert server.returncode in (0, -signal.SIGTERM)


def test_dev_serves_the_ui_beside_the_daemon_and_leaves_nothing_behind(project):
    command = [sys.executable, "-m", "deltaworks", "dev", "-f", "tables.py", "--port", "0"]
    with subprocess.Popen(
        command, cwd=project.folder, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as both:
        assert both.stderr is not None
        told = re.fullmatch(r"deltaworks dev: (http://127.0.0.1:\d+/) \(.*\)\n", both.stderr.readline())
        with urlopen(f"{told[1]}health/live", timeout=PATIENCE_S) as answer:
            assert answer.status == 200
        while not list(project.lake.glob("_deltaworks/**/daemons/*")):
            assert both.poll() is None
            time.sleep(0.05)
        both.send_signal(signal.SIGTERM)
        both.wait(PATIENCE_S)

    assert both.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(both.pid, 0)
    with pytest.raises(URLError):
        urlopen(told[1], timeout=PATIENCE_S)


def test_another_address_needs_a_token(project):
    refused = project.run("ui", "--host", "0.0.0.0")

    assert refused.code == 2
    assert refused.sentence.startswith("--host 0.0.0.0 lets other machines in, which needs a token")


def test_viewers_alone_could_start_nothing(project):
    refused = project.run("ui", "--viewer-token-file", str(project.folder / "token"))

    assert refused.sentence.startswith("--viewer-token-file needs --token-file")


def test_a_port_that_is_taken_is_said_so(project, address):
    port = address.rpartition(":")[2]

    refused = project.run("ui", "--port", port)

    assert refused.code == 2
    assert refused.sentence.startswith(f"Nothing can listen at 127.0.0.1, port {port}: ")


def test_a_command_that_is_refused_is_remembered_with_its_reason(project):
    launcher = Launcher(Origin(file=project.folder / "tables.py", lake=str(project.lake)), os.environ)

    launcher.start("r1", ["backfill", "--run-id=r1", "--", "nothing"])

    while (found := launcher.find("r1")).exit_code is None:
        time.sleep(0.02)
        assert found.refusal is None
    assert found.command == "deltaworks backfill --run-id=r1 -- nothing"
    assert found.refusal.startswith("There is no asset 'nothing'")
    assert launcher.find("r2") is None
