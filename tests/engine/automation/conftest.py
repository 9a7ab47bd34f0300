"""Lakes in commit logs alone, as planning has them, and houses with daemons."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.automation.house import House
from tests.engine.planning.conftest import lake_of, table_of

__all__ = ["lake_of", "table_of"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Callable[[str], House]]:
    houses: list[House] = []

    def build(code: str) -> House:
        houses.append(House(tmp_path, code))
        return houses[-1]

    yield build
    for made in houses:
        made.close()
