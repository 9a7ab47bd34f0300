"""A Python of its own for readers that the product must not depend on."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.exactness.machine", "tests.exactness.watched_lake")

READERS = Path(sys.prefix) / "readers"
PACKAGES = (
    ("duckdb==1.5.5", "duckdb-extension-delta==1.5.5"),
    # ClickHouse, which reads Delta in C++ of its own; only its frames for Python would need pandas and pyarrow.
    ("--no-deps", "chdb-core==26.9.0"),
)


@pytest.fixture(scope="session")
def readers_python() -> Path:
    """The interpreter of an environment with foreign readers, made once and kept below the one that runs the tests.

    The first time takes about half a minute and 700 MB.
    """
    python, stamp = READERS / "bin" / "python", READERS / "installed"
    with READERS.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text("utf-8") != repr(PACKAGES):
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(READERS)], check=True, timeout=120)
            for packages in PACKAGES:
                command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
                subprocess.run(command, check=True, timeout=600)
            stamp.write_text(repr(PACKAGES), "utf-8")
    return python


LONGEST = ("test_state_machine.py", "test_kills.py", "test_kill_campaign.py", "test_cancels.py", "test_races.py")
"""Files whose tests take longest: begun last, one worker would be at them alone while the others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the tests that take longest first."""
    items.sort(key=lambda item: item.path.name not in LONGEST)
