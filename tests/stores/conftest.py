"""Stories that are told once and happen in every kind of store: a local folder, S3 by moto, Azure by Azurite,
Google by a stand-in.

`make test-stores` tells all of them everywhere. The suite tells those marked `telling`, on S3.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores.home import Home, Housed
from tests.stores.servers import Server, azurite, google, moto


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to `make test-stores` what the suite does not tell."""
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents or "home" not in getattr(item, "fixturenames", ()):
            continue
        store = item.callspec.params["home"] if isinstance(item, pytest.Function) else None
        if store != "s3" or item.get_closest_marker("telling") is None:
            item.add_marker(pytest.mark.stores)


@pytest.fixture(scope="session")
def s3() -> Iterator[Server]:
    """A store that speaks S3."""
    with moto() as server:
        yield server


@pytest.fixture(scope="session")
def azure() -> Iterator[Server]:
    """A store that speaks Azure's Blob protocol."""
    with azurite() as server:
        yield server


@pytest.fixture(scope="session")
def gcs() -> Iterator[Server]:
    """A store that answers as Google's would."""
    with google() as server:
        yield server


@pytest.fixture(params=["local", "s3", "azure", "gcs"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty place in each kind of store, reached by what stands in the environment."""
    if request.param == "local":
        return Home(str(tmp_path / "home"))
    server: Server = request.getfixturevalue(request.param)
    reach(server, monkeypatch)
    return Home(f"{server.root}/{uuid.uuid4().hex[:12]}")


def reach(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment reach a server and no other store."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def housed(home: Home, tmp_path: Path) -> Housed:
    """An empty project whose lake lies there."""
    folder = tmp_path / "project"
    folder.mkdir()
    return Housed(folder, home=home)
