"""Alerts of a project: its settings, the commands, and a daemon that tells what goes wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import Here, Project
from tests.acceptance.test_freshness import HOUR, PROJECT, order
from tests.acceptance.test_sensors import daemon, wait_until
from tests.engine.automation.alerts.servers import Received, webhook

SETTINGS = """
lake = "./lake"
modules = ["tables"]

[[alerts]]
name = "oncall"
kind = "webhook"
url = "env:HOOK"
headers = { Authorization = "Bearer hunter2" }
on = ["late_freshness", "run_failure"]

[[alerts]]
name = "mail"
kind = "email"
host = "127.0.0.1"
port = 1
tls = "none"
user = "me"
password = "hunter2"
sender = "lake@example.com"
to = ["oncall@example.com"]
assets = ["raw/*"]
"""


@pytest.fixture
def hook() -> Iterator[Received]:
    with webhook() as received:
        yield received


@pytest.fixture
def shop(here: Here) -> Here:
    here.write("tables.py", PROJECT)
    here.write("deltaworks.toml", SETTINGS)
    return here


def test_settings_and_lists_show_no_secret(shop: Here) -> None:
    settings, listed = shop.run("settings", "--json"), shop.run("alert", "list")

    found = {each["setting"]: each["value"] for each in settings.json["settings"]}
    assert found["alerts.oncall.url"] == "$HOOK"
    assert found["alerts.oncall.headers.Authorization"] == "**********"
    assert found["alerts.mail.password"] == "**********"
    assert found["alerts.mail.to"] == ["oncall@example.com"]
    assert "late_freshness, run_failure" in listed.out
    assert "asset raw/*" in listed.out
    assert "hunter2" not in settings.out + listed.out + shop.run("alert", "list", "--json").out


def test_a_test_says_who_can_be_reached(shop: Here, hook: Received) -> None:
    one = shop.run("alert", "test", "oncall", HOOK=hook.address)
    both = shop.run("alert", "test", "--json", HOOK=hook.address)
    unknown = shop.run("alert", "test", "oncal", HOOK=hook.address)

    assert (one.code, one.out.strip()) == (0, "oncall: sent")
    assert hook.titles == ["a test of deltaworks"] * 2
    assert both.code == 1
    assert [each["sent"] for each in both.json["tests"]] == [True, False]
    assert unknown.code == 2
    assert unknown.sentence == "There is no alert 'oncal'. Did you mean 'oncall'?"


def test_without_a_daemon_a_command_tells_what_is_late_once(shop: Here, hook: Received) -> None:
    folder, at = shop.folder.parent / "orders", dt.datetime(2024, 1, 4, 4, tzinfo=dt.UTC)
    order(folder, at)
    assert shop.run("backfill").code == 0
    assert shop.run("alert", "send", HOOK=hook.address).out.strip() == "Nothing is to be told."
    order(folder, at + HOUR)

    first, second = (shop.run("alert", "send", "--json", HOOK=hook.address) for _ in range(2))
    assert shop.run("backfill").code == 0
    shop.run("alert", "send", HOOK=hook.address)

    assert (first.code, second.code) == (0, 0)
    assert [each["title"] for each in first.json["messages"]] == ["total is late"]
    assert second.json["messages"] == []
    assert hook.titles == ["total is late", "over: total is late"]
    assert "is not included: total has read version 0 of orders" in hook.documents[0]["text"]
    assert hook.headers[0]["Authorization"] == "Bearer hunter2"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('kind = "webhook"', 'kind = "pager"', "'webhook', 'slack' or 'email'"),
        ('url = "env:HOOK"', "", "an alert of kind webhook needs url"),
        ('url = "env:HOOK"', 'url = "ftp://a"', "url must begin with http:// or https://, or be env:NAME"),
        ('host = "127.0.0.1"', 'host = "127.0.0.1"\nurl = "http://a"', "an alert of kind email has no url"),
        ('name = "mail"', 'name = "oncall"', "there are two alerts 'oncall'; give each a name of its own"),
        ('tls = "none"', 'tsl = "none"', "there is no setting 'alerts.1.tsl'. Did you mean 'alerts.1.tls'?"),
    ],
)
def test_settings_that_reach_nobody_are_refused(shop: Here, old: str, new: str, sentence: str) -> None:
    shop.edit("deltaworks.toml", old, new)

    refused = shop.run("alert", "list")

    assert refused.code == 2
    assert sentence in refused.sentence
    assert "hunter2" not in refused.err


FAILING = """
import datetime as dt
import polars as pl
import deltaworks as dw

@dw.sensor(interval_s=0.3)
def raises() -> None:
    raise ValueError("the shop is closed")

orders = dw.external_asset("orders", uri="../orders", freshness=dw.FreshnessPolicy(dt.timedelta(hours=6)))
"""


def test_a_daemon_tells_what_is_late_and_what_fails(
    project: Project, hook: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    order(project.folder.parent / "orders", dt.datetime(2024, 1, 4, tzinfo=dt.UTC))
    project.write("tables.py", FAILING)
    monkeypatch.setenv("HOOK", hook.address)
    alerts = '[[alerts]]\nname = "oncall"\nkind = "webhook"\nurl = "env:HOOK"\n'

    with daemon(project, alerts):
        wait_until(lambda: len(set(hook.titles)) == 2, project.folder / "daemon.log")

    assert sorted(hook.titles) == ["orders is late", "sensor raises fails"]
    assert any("ValueError: the shop is closed" in each["text"] for each in hook.documents)
