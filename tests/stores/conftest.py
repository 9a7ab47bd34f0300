"""Servers of stores, started by the first story that needs one and ended with the session of its worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stores.servers import Server, azurite, moto


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
