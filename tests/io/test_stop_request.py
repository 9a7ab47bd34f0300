"""A run is asked to stop once, the more urgent request counts, and what is forgotten is gone."""

from deltaworks.io.stop_request import (
    FOLDER,
    StopKind,
    StopRequest,
    ask_to_stop,
    find_stop_request,
    forget_stop_requests,
)


def test_the_more_urgent_of_two_requests_counts(lake):
    assert find_stop_request(lake.store, "r") is None
    assert ask_to_stop(lake.store, "r", StopRequest(StopKind.PAUSE, "ann"))
    paused = find_stop_request(lake.store, "r")
    assert ask_to_stop(lake.store, "r", StopRequest(StopKind.CANCEL, "bob"))

    assert str(paused) == "paused by ann"
    assert str(find_stop_request(lake.store, "r")) == "canceled by bob"
    assert find_stop_request(lake.store, "another") is None


def test_who_asked_first_is_kept(lake):
    ask_to_stop(lake.store, "r", StopRequest(StopKind.CANCEL, "ann"))

    assert not ask_to_stop(lake.store, "r", StopRequest(StopKind.CANCEL, "bob"))
    assert str(find_stop_request(lake.store, "r")) == "canceled by ann"


def test_a_request_that_cannot_be_read_is_one(lake):
    lake.store.put(f"{FOLDER}/r.cancel.json", b"")

    assert str(find_stop_request(lake.store, "r")) == "canceled by somebody unknown"


def test_what_is_forgotten_is_asked_no_longer(lake):
    for kind in StopKind:
        ask_to_stop(lake.store, "r", StopRequest(kind, "ann"))

    forget_stop_requests(lake.store, "r")

    assert find_stop_request(lake.store, "r") is None
    assert list(lake.store.list(FOLDER)) == []
