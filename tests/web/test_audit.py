"""The audit: whatever changes something is written down, or the caller is told that it was not."""

import datetime as dt
import os
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Route

from deltaworks.engine.workspace.project import Origin
from deltaworks.io.audit import AuditEntry, audit_entries, new_entry_id, put_audit_entry
from deltaworks.io.store import Store
from deltaworks.web.http.audit import Audit
from deltaworks.web.http.doors import Doors
from deltaworks.web.http.roles import Auth, Role
from deltaworks.web.workspace import Workspace
from tests.web.client import TABLES, Client

NOW = dt.datetime(2024, 1, 31, 12, tzinfo=dt.UTC)
TOKENS = Auth({Role.OPERATOR: "operator-token-0123456789"})


def switched(request):
    return RedirectResponse("/schedules", 303)


def refused(request):
    return PlainTextResponse("no", 409)


def broken(request):
    raise ZeroDivisionError


@pytest.fixture
def store(tmp_path):
    (tmp_path / "tables.py").write_text(TABLES)
    return Store.at(str(tmp_path / "lake"))


@pytest.fixture
def client(tmp_path, store):
    """An operator of an app of three routes that change something, one of them well."""
    origin = Origin(file=tmp_path / "tables.py", lake=str(tmp_path / "lake"))
    doings = (("/switch", switched), ("/refused", refused), ("/broken", broken))
    app = Starlette(routes=[Route(path, doing, methods=["GET", "POST"]) for path, doing in doings])
    app.add_middleware(Audit, workspace=Workspace(origin, os.environ, lambda: NOW))
    return Client(Doors(app, TOKENS), {"authorization": "Bearer operator-token-0123456789"})


def test_what_was_done_is_written_down_with_who_and_when(client, store):
    assert client.submit("/switch", {}).status == 303

    (entry,) = audit_entries(store)
    assert (entry.who, entry.at, entry.request) == ("token:operator", NOW.isoformat(), "POST /switch")
    assert (entry.status, entry.led_to) == (303, "/schedules")


def test_what_was_refused_or_only_looked_at_is_not(client, store):
    client.submit("/refused", {})
    client.get("/switch")

    assert list(audit_entries(store)) == []


def test_what_broke_is_as_some_of_it_may_have_been_done(client, store):
    client.submit("/broken", {})

    assert [(each.request, each.status) for each in audit_entries(store)] == [("POST /broken", 500)]


def test_who_changed_something_that_cannot_be_written_down_is_told(client, tmp_path):
    (tmp_path / "lake").write_text("no folder")

    found = client.submit("/switch", {})

    assert found.status == 500
    assert "It was done, but could not be written down" in found.text


def test_entries_are_paged_over_months(tmp_path, store):
    entry = AuditEntry("", NOW.isoformat(), "local", "POST /x", "", 200, "//elsewhere")
    days = [NOW + dt.timedelta(days=number) for number in range(3)]
    for at in days:
        put_audit_entry(store, replace(entry, entry_id=new_entry_id(at), at=at.isoformat()))
    client = Client.of(tmp_path)

    first = client.get("/api/v1/audit?limit=2").json
    rest = client.get(f"/api/v1/audit?limit=2&after={first['next']}").json

    told = [each["at"] for each in first["entries"] + rest["entries"]]
    assert told == [at.isoformat() for at in reversed(days)]
    assert rest["next"] is None
    assert 'href="//elsewhere"' not in client.get("/audit").text
