"""A bucket whose requests fail: what was done stays done once, what is said is one sentence without secrets."""

from __future__ import annotations

import pickle
import threading

import pytest

from deltaworks.errors import InvalidSettings, StorageError
from deltaworks.io.files import ALLOW_HTTP, write_file
from deltaworks.io.store import Store
from deltaworks.io.stores.bucket import bucket_uri
from deltaworks.io.stores.reason import reason, without_credentials
from deltaworks.io.stores.storage import FromVariable, Patience, Storage, Storages
from tests.io.stores.small_s3 import SECRET, Fault, SmallS3

IMPATIENT = Storage("impatient", (), Patience(timeout_s=5, max_retries=1, retry_timeout_s=5))


@pytest.fixture
def store(bucket: SmallS3) -> Store:
    del bucket
    return Store.at("s3://bucket/lake", profile="impatient", profiles=Storages((IMPATIENT,)))


def test_a_refused_request_is_tried_again(store: Store, bucket: SmallS3) -> None:
    bucket.faults = [("PUT", Fault.REFUSED), ("GET", Fault.REFUSED)]

    assert store.put_new("log/1", b"x")

    assert store.read("log/1") == b"x"
    assert len(bucket.asked("PUT")) == 2


def test_a_new_file_whose_reply_was_lost_is_ones_own(store: Store, bucket: SmallS3) -> None:
    bucket.faults = [("PUT", Fault.LOST)]

    assert store.put_new_surely("log/1", b"mine")

    assert bucket.contents == {"lake/log/1": b"mine"}


def test_a_new_file_whose_every_reply_was_lost_is_found_by_reading(store: Store, bucket: SmallS3) -> None:
    bucket.faults = [("PUT", Fault.LOST)] * 9

    assert store.put_new_surely("log/1", b"mine")

    assert bucket.contents == {"lake/log/1": b"mine"}


def test_a_lost_reply_to_the_slower_of_two_does_not_make_it_the_winner(store: Store, bucket: SmallS3) -> None:
    store.put_new("log/1", b"theirs")
    bucket.faults = [("PUT", Fault.LOST)]

    assert not store.put_new_surely("log/1", b"mine")

    assert bucket.contents == {"lake/log/1": b"theirs"}


def test_a_new_file_that_another_request_is_about_to_write_is_tried_until_that_is_over(bucket: SmallS3) -> None:
    store = Store.at("s3://bucket/lake")
    bucket.faults = [("PUT lake/log/1", Fault.CONFLICT)] * 1000

    def over() -> None:
        with bucket.lock:
            bucket.faults.clear()

    other = threading.Timer(2.5, over)
    other.start()

    assert store.put_new("log/1", b"mine")
    assert bucket.contents == {"lake/log/1": b"mine"}
    other.join()


def test_what_is_refused_for_good_is_said_in_one_line_without_secrets(store: Store, bucket: SmallS3) -> None:
    bucket.faults = [(".", Fault.DENIED)] * 4

    for call in (lambda: store.put("a", b""), lambda: store.read("a"), lambda: list(store.list("a"))):
        with pytest.raises(
            StorageError, match=r"^cannot (write|read|list) s3://bucket/lake/a: [^\n]*AccessDenied, No\.$"
        ):
            call()
    with pytest.raises(StorageError) as refused:
        store.delete("a")
    assert SECRET not in str(refused.value)


def test_a_bucket_that_is_not_there_is_not_an_empty_lake(bucket: SmallS3) -> None:
    store = Store.at("s3://other/lake", profile="impatient", profiles=Storages((IMPATIENT,)))

    with pytest.raises(StorageError, match=r"^cannot read s3://other/lake/a: "):
        store.read("a")
    assert bucket.contents == {}


def test_a_server_that_is_not_there_is_said_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    store = Store.at("s3://bucket/lake", profile="impatient", profiles=Storages((IMPATIENT,)))

    with pytest.raises(StorageError, match=r"^cannot read s3://bucket/lake/a: [^\n]*127\.0\.0\.1:1"):
        store.read("a")


def test_a_profile_is_read_from_variables_and_pickles_without_them(
    bucket: SmallS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Storage(
        "own",
        (
            ("endpoint", bucket.environ["AWS_ENDPOINT_URL"]),
            ("access_key_id", "key"),
            ("secret_access_key", FromVariable("OWN_SECRET")),
        ),
    )
    for name in bucket.environ:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OWN_SECRET", SECRET)
    store = Store.at("s3://bucket/lake", profile="own", profiles=Storages((own,)))

    store.put("a", b"1")

    pickled = pickle.dumps(store)
    assert SECRET.encode() not in pickled
    assert SECRET not in repr(store)
    assert pickle.loads(pickled).read("a") == b"1"
    assert (store.polars_options or {})["allow_http"] == (store.delta_options or {})["allow_http"] == "true"


def test_a_variable_that_is_not_set_is_named(bucket: SmallS3) -> None:
    own = Storage("own", (("secret_access_key", FromVariable("NOT_THERE")),))
    store = Store.at("s3://bucket/lake", profile="own", profiles=Storages((own,)))

    with pytest.raises(InvalidSettings, match=r"storage 'own': secret_access_key .* has no NOT_THERE"):
        store.read("a")
    assert bucket.requests == []


def test_an_option_of_another_kind_of_store_is_refused() -> None:
    azure = Storages((Storage("azure", (("account_name", "a"),)),))

    with pytest.raises(InvalidSettings, match="storage 'azure': s3:// has no option 'account_name'"):
        Store.at("s3://bucket/lake", profile="azure", profiles=azure)
    with pytest.raises(InvalidSettings, match=r"there is no storage 'azur'. Did you mean 'azure'"):
        Store.at("az://box/lake", profile="azur", profiles=azure)


def test_no_address_that_is_told_has_a_signature() -> None:
    told = f"Error performing PUT https://a.example/box/x?sv=1&sig={SECRET}&se=2 in 5ms"

    assert reason(OSError(told)) == "Error performing PUT https://a.example/box/x in 5ms"
    assert without_credentials(told) == told.replace(SECRET, "***")


REFUSAL = (
    'Server returned non-2xx status code: 403 Forbidden: <?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>Signature'
    "DoesNotMatch</Code><Message>No.</Message><AWSAccessKeyId>AK</AWSAccessKeyId><CanonicalRequest>GET\n/bucket/x\n"
    f"x-amz-security-token:{SECRET}\n</CanonicalRequest></Error> (path: s3://bucket/x)"
)


def test_a_refusal_is_told_without_what_the_store_says_of_the_request() -> None:
    told = "Server returned non-2xx status code: 403 Forbidden: SignatureDoesNotMatch, No. (path: s3://bucket/x)"

    assert reason(OSError(REFUSAL)) == told
    assert without_credentials(f"first\n{REFUSAL}\nlast") == f"first\n{told}\nlast"
    assert without_credentials(REFUSAL[:-40]) == told.removesuffix(" (path: s3://bucket/x)"), "also of a part of it"


def test_a_refusal_of_files_of_a_source_is_told_so_too(bucket: SmallS3) -> None:
    bucket.faults = [("", Fault.DENIED)]
    with pytest.raises(StorageError, match=r"^cannot write s3://bucket/data/x: .* AccessDenied, No\.$") as refused:
        write_file("s3://bucket/data", "x", b"1", {ALLOW_HTTP: "true"})
    assert SECRET not in str(refused.value)


def test_credentials_that_are_nowhere_are_said_so() -> None:
    said = "Error performing PUT http://169.254.169.254/latest/api/token in 1.4ms - Server returned status code: 403"

    assert reason(OSError(said)) == (
        "no credentials were found in a storage profile, the environment or the machine's role; "
        "docs/object_stores.md says where they may stand"
    )


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("s3://key:hush@bucket/lake", "s3://***@bucket/lake"),
        ("s3://hush@bucket/lake", "s3://***@bucket/lake"),
        ("s3://key:hu/sh+x@bucket/lake", "s3://***@bucket/lake"),
        ("s3://key:hush/lake", "s3://***"),
        ("http://me:hu/sh@host/lake", "http://***@host/lake"),
        (
            "s3://bucket/lake?AWS_SECRET_ACCESS_KEY=hush&region=x",
            "s3://bucket/lake?AWS_SECRET_ACCESS_KEY=***&region=***",
        ),
        ("ftp://me:hush@host/lake", "ftp://***@host/lake"),
        ("az://lake@account/x", "az://***@account/x"),
    ],
)
def test_what_refuses_a_place_repeats_no_secret_that_somebody_wrote_into_it(uri: str, shown: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        bucket_uri(uri, "lake")

    assert f"lake {shown}: " in str(refused.value)
    assert "hush" not in str(refused.value)
    assert "sh@" not in str(refused.value)
