"""Whatever is asked of the API, it answers; a failure of ours is none of the answers."""

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.web.fuzz import operations

QUIET = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large)


@pytest.fixture(scope="module")
def known(client):
    """Values that parameters and fields may have and that exist."""
    run = client.get("/api/v1/runs").json["runs"][0]["run_id"]
    return {
        "key": ["orders", "mart/daily", "total"],
        "asset": ["orders"],
        "run": [run, "latest"],
        "select": ["orders+", "*"],
        "partition": ["2024-01-02"],
        "partitions": ["2024-01-02"],
        "from": ["2024-01-02"],
        "to": ["2024-01-03"],
        "column": ["amount"],
        "after": ["001-000000:0", "orders", run],
        "accept": ["application/json", "application/octet-stream", "application/x-ndjson"],
    }


def asked(client, known, count):
    """Send requests of every operation, so many of each; return what was answered."""
    every = operations(client.get("/api/v1/openapi.json").json)
    return [(operation, answer) for operation in every for answer in asked_of(operation, client, known, count)]


def asked_of(operation, client, known, count):
    found = []

    @seed(20240101)
    @settings(max_examples=count, database=None, deadline=None, suppress_health_check=QUIET, phases=[Phase.generate])
    @given(operation.requests(known))
    def ask(send):
        answer = send(client)
        found.append(answer)
        assert answer.status < 500, f"{operation.method} {operation.path}: {answer.text}"
        if answer.status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json["status"] == answer.status
            assert answer.json["detail"]

    ask()
    return found


def test_no_request_breaks_the_server(client, known):
    found = asked(client, known, 6)

    answered = {operation.path for operation, answer in found if answer.status < 300}
    assert len(answered) > 25, answered
    assert client.get("/api/v1/backfills").json["total"] == 1


@pytest.mark.soak
def test_no_request_of_many_breaks_the_server(client, known):
    found = asked(client, known, 100)

    assert len({operation.path for operation, answer in found if answer.status < 300}) > 25
