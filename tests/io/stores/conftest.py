"""A store in each of the places where a lake can lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deltaworks.io.store import Store
from deltaworks.io.stores.storage import Storage, Storages
from tests.io.stores.small_s3 import SmallS3, serve


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallS3]:
    with serve(SmallS3("bucket")) as bucket:
        for name, value in bucket.environ.items():
            monkeypatch.setenv(name, value)
        yield bucket


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "bucket":
        bucket: SmallS3 = request.getfixturevalue("bucket")
        # Polars keeps its clients, by what it is told: what it finds in the environment may be that of another test.
        here = Storage("here", (("endpoint", bucket.environ["AWS_ENDPOINT_URL"]),))
        return Store.at("s3://bucket/some/lake", profile="here", profiles=Storages((here,)))
    return Store.at(tmp_path / "lake")
