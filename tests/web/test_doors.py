"""Who is let in: names, origins, tokens, roles and sizes, over every route that there is."""

import datetime as dt
import os
import re

import pytest
from starlette.routing import Route

from deltaworks.engine.workspace.project import Origin
from deltaworks.errors import InvalidSettings
from deltaworks.web.app import inner_app
from deltaworks.web.http.doors import MOST_BODY_BYTES
from deltaworks.web.http.roles import Auth, Role, token_of
from deltaworks.web.workspace import Workspace
from tests.web.client import TABLES, Client

TOKENS = Auth({Role.OPERATOR: "operator-token-0123456789", Role.VIEWER: "viewer-token-0123456789"})
OPEN = {"/login", "/health/live", "/static/{version}/{name:path}"}
HARMLESS = {"/login", "/logout", "/api/v1/plans"}


def every_route(folder):
    """Method, pattern and a path of every route; whoever adds one adds it here too."""
    now = lambda: dt.datetime.now(dt.UTC)  # noqa: E731
    app = inner_app(Workspace(Origin(folder=folder), os.environ, now), Auth())
    found = []
    for route in app.state.routes:
        assert isinstance(route, Route)
        path = re.sub(r"\{[^}]*\}", "x", route.path)
        found += [(method, route.path, path) for method in sorted(route.methods - {"HEAD"})]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("project")
    (found / "tables.py").write_text(TABLES)
    return found


@pytest.fixture(scope="module")
def routes(folder):
    found = every_route(folder)
    assert len(found) > 15
    return found


@pytest.fixture(scope="module")
def client(folder):
    return Client.of(folder)


@pytest.fixture(scope="module")
def guarded(folder):
    """A client of a server with tokens, which has none."""
    return Client.of(folder, TOKENS)


def send(client, method, path, **headers):
    body = b"" if method == "GET" else b"{}"
    kind = {} if method == "GET" else {"content-type": "application/json"}
    return client.send(method, path, body, {**kind, **headers})


def test_every_route_refuses_a_name_that_is_not_the_servers(client, routes):
    for method, pattern, path in routes:
        assert send(client, method, path, host="evil.example:3000").status == 400, pattern


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:3000", "[::1]:3000", "LOCALHOST:1"])
def test_the_loopback_interface_is_known_by_its_names(client, host):
    assert client.get("/health/live", host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("localhost.evil.example", "127.0.0.1.evil.example", "evil.example@localhost", ""),
        *("[::1].evil.example", "[::1]:80.evil.example", "localhost:80x", "localhost:80/x", "[localhost]"),
    ],
)
def test_what_only_looks_like_it_is_refused(client, host):
    assert client.get("/health/live", host=host).status == 400


def test_a_server_is_known_by_the_address_that_it_listens_at(folder):
    client = Client.of(folder, Auth(hosts=frozenset({"FD00::5", "[fd00::6]", "Lake.example"})))

    for host in ("[fd00::5]:3000", "[fd00::6]", "lake.example:80"):
        assert client.get("/health/live", host=host).status == 200, host
    assert client.get("/health/live", host="[fd00::7]").status == 400


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "PUT", "DELETE", "CONNECT", "X"])
def test_a_method_that_nothing_takes_is_told_which_are_taken(client, method):
    found = client.send(method, "/api/v1/assets", b"", {})

    assert (found.status, found.headers["allow"]) == (405, "GET, HEAD, PATCH, POST")


def test_nothing_changes_by_a_request_of_another_site(client, routes):
    changing = [route for route in routes if route[0] != "GET"]
    others = [{"origin": each} for each in ("http://evil.example", "null", "http://[", "http://localhost:3000.evil")]

    assert changing
    for method, pattern, path in changing:
        for foreign in ({"sec-fetch-site": "cross-site"}, *others):
            assert send(client, method, path, **foreign).status == 403, (pattern, foreign)


def test_without_a_token_nothing_is_shown(guarded, routes):
    for method, pattern, path in routes:
        if pattern not in OPEN:
            found = send(guarded, method, path)
            is_page = not path.startswith(("/api/", "/health/"))
            assert found.status == (303 if is_page else 401), pattern
            assert not is_page or found.headers["location"].startswith("/login?next=%2F"), pattern


def test_a_wrong_token_is_none(guarded, routes):
    for method, pattern, path in routes:
        if pattern not in OPEN:
            assert send(guarded, method, path, authorization="Bearer wrong").status in (303, 401), pattern


def test_a_viewer_changes_nothing(guarded, routes):
    changing = [(method, pattern, path) for method, pattern, path in routes if method != "GET"]

    for method, pattern, path in changing:
        if pattern not in HARMLESS:
            found = send(guarded, method, path, authorization=f"Bearer {TOKENS.tokens[Role.VIEWER]}")
            assert found.status == 403, pattern


def test_every_answer_tells_the_browser_what_it_must_not_do(client, routes):
    for method, pattern, path in routes:
        said = send(client, method, path).headers
        assert "script-src 'self';" in said["content-security-policy"], pattern
        assert "unsafe" not in said["content-security-policy"], pattern
        assert said["x-content-type-options"] == "nosniff", pattern


def test_a_token_is_exchanged_for_a_cookie_that_says_nothing_of_it(guarded):
    entered = guarded.submit("/login", {"token": TOKENS.tokens[Role.VIEWER], "next": "/assets?q=a"})

    cookie = entered.headers["set-cookie"]
    assert (entered.status, entered.headers["location"]) == (303, "/assets?q=a")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKENS.tokens[Role.VIEWER] not in cookie
    assert guarded.get("/assets", cookie=cookie.partition(";")[0]).status == 200
    assert guarded.get("/assets", cookie="deltaworks_session=" + "0" * 64).status == 303


@pytest.mark.parametrize("onward", ["//evil.example", "https://evil.example", "/\\evil.example", "\n/x"])
def test_logging_in_leads_to_no_other_site(guarded, onward):
    entered = guarded.submit("/login", {"token": TOKENS.tokens[Role.VIEWER], "next": onward})

    assert entered.headers["location"] == "/"


def test_a_wrong_token_cannot_log_in(guarded):
    refused = guarded.submit("/login", {"token": "guess"})

    assert refused.status == 403
    assert "set-cookie" not in refused.headers
    assert "not a token" in refused.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-length": str(MOST_BODY_BYTES + 1)}, 413),
        ({"transfer-encoding": "chunked"}, 411),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_a_body_must_be_json_of_a_length_that_is_told(client, headers, status):
    found = client.post("/api/v1/plans", {}, **headers)

    assert found.status == status
    assert found.headers["content-type"] == "application/problem+json"


def test_a_token_is_made_once_and_kept_from_others(tmp_path):
    made, is_new = token_of(tmp_path / "token")
    again, is_still_new = token_of(tmp_path / "token")

    assert (is_new, is_still_new, again) == (True, False, made)
    assert len(made) >= 43
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


def test_a_token_that_others_can_read_is_refused(tmp_path):
    (tmp_path / "token").write_text("x" * 40)
    (tmp_path / "token").chmod(0o644)

    with pytest.raises(InvalidSettings, match="others can read the token file"):
        token_of(tmp_path / "token")


def test_a_token_that_can_be_guessed_is_refused(tmp_path):
    (tmp_path / "token").write_text("secret")
    (tmp_path / "token").chmod(0o600)

    with pytest.raises(InvalidSettings, match="holds 6 characters, expected at least 16"):
        token_of(tmp_path / "token")
