"""A project with a lake in which something is fresh, stale, missing and failed, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.acceptance.conftest import Here
from tests.web.browser import launched, program, serving
from tests.web.client import TABLES, Client

AUTOMATION = """
class Letter(dw.Config):
    to: str
    copies: int = 1

@dw.op
def send(config: Letter) -> None:
    print(config.to)

@dw.job
def reports() -> None:
    send()

@dw.schedule(job=reports, cron="0 6 * * *")
def every_morning(tick: dw.Tick) -> dw.SkipReason:
    return dw.SkipReason("nobody reads it")

@dw.asset_sensor(asset=orders, job=reports)
def on_orders(commits: dw.Commits) -> None:
    return None
"""


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project whose first five days are made; the first of them was ordered anew since."""
    here = Here(tmp_path_factory.mktemp("shop"))
    here.write("tables.py", TABLES + AUTOMATION)
    span = ("--from", "2024-01-01", "--to", "2024-01-05")
    assert here.run("backfill", "orders", "mart/daily", *span, "--lake", str(here.lake)).code == 0
    again = here.run("materialize", "orders", "--partition", "2024-01-01", "--lake", str(here.lake))
    assert again.code == 0, again.err
    return here.folder


@pytest.fixture(scope="package")
def client(shop: Path) -> Client:
    """The operator's browser, which only looks."""
    return Client.of(shop)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, one for all tests of the folder."""
    path = program()
    if path is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        found = launched(playwright, path)
        yield found
        found.close()


@pytest.fixture(scope="package")
def address(shop: Path) -> Iterator[str]:
    """Where the shop is served."""
    with serving(shop) as found:
        yield found
