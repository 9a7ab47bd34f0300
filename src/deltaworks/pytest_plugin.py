"""Fixtures for those who test with pytest. It is imported by every test run, so it imports nothing that takes time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from deltaworks.testing import FrozenClock


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake for one test: give it as `dw.materialize(..., lake=lake)`."""
    return tmp_path / "lake"


@pytest.fixture
def frozen_clock() -> FrozenClock:
    """A clock that stands at the beginning of 2024, in UTC, until the test moves it: give it as `now=`."""
    # Imported here: it needs Polars and pandera, of which other test suites have no use.
    from deltaworks.testing import FrozenClock

    return FrozenClock()
