"""The proxy before a store does what the stories of faults rely on; asked by obstore alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from tests.stores.proxy import Fault, Proxy, proxied
from tests.stores.servers import BUCKET, Server


@pytest.fixture
def proxy(s3: Server) -> Iterator[Proxy]:
    with proxied(s3) as proxy:
        yield proxy


def client(server: Server, prefix: str, *, retries: int = 0) -> S3Store:
    """Ask a store, and wait not long for it."""
    return S3Store(
        BUCKET,
        prefix=prefix,
        endpoint=server.environ["AWS_ENDPOINT_URL"],
        access_key_id="key",
        secret_access_key="secret",
        region="us-east-1",
        client_options={"allow_http": True, "timeout": timedelta(seconds=1)},
        retry_config={"max_retries": retries, "retry_timeout": timedelta(seconds=30)},
    )


def test_requests_are_carried_and_counted_by_kind(proxy: Proxy) -> None:
    store = client(proxy.server, "counted")

    obstore.put(store, "a b=1%/é.json", b"content")
    assert obstore.get(store, "a b=1%/é.json").bytes() == b"content"
    assert obstore.head(store, "a b=1%/é.json")["size"] == 7
    assert [each["path"] for page in obstore.list(store) for each in page] == ["a b=1%/é.json"]
    obstore.delete(store, "a b=1%/é.json")

    assert proxy.counted() == {"put": 1, "get": 1, "head": 1, "list": 1, "delete": 1}
    assert proxy.counted() == {}


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_hits_its_request_and_says_nothing_of_what_was_done(fault: Fault, proxy: Proxy) -> None:
    store = client(proxy.server, fault.name)
    proxy.fail(fault, first=2)

    obstore.put(store, "first", b"1", mode="create")
    with pytest.raises(BaseError):
        obstore.put(store, "second", b"2", mode="create")
    obstore.put(store, "third", b"3", mode="create")

    found = {each["path"] for page in obstore.list(client(proxy.upstream, fault.name)) for each in page}
    is_done = fault in (Fault.LOST_REPLY, Fault.LATE_500)
    assert found == {"first", "third"} | ({"second"} if is_done else set())
    assert [(str(request), each) for request, each in proxy.failed] == [(f"put /{BUCKET}/{fault.name}/second", fault)]


def test_a_put_asked_again_after_its_answer_was_lost_finds_itself(proxy: Proxy) -> None:
    proxy.fail(Fault.LATE_500)

    with pytest.raises(AlreadyExistsError):
        obstore.put(client(proxy.server, "again", retries=2), "once", b"1", mode="create")

    assert proxy.counted() == {"put": 2}


def test_a_host_that_is_cut_off_reaches_nothing_until_it_is_healed(proxy: Proxy) -> None:
    store = client(proxy.server, "cut")
    obstore.put(store, "before", b"1")

    proxy.is_cut.set()
    with pytest.raises(BaseError):
        obstore.get(store, "before")
    proxy.heal()

    assert obstore.get(store, "before").bytes() == b"1"
