"""Whole stories in a real browser, on a real lake: what people come for, done as they do it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from deltaworks.io.store import Store
from deltaworks.io.switches import read_switches
from tests.acceptance.conftest import Here
from tests.web.browser import PATIENCE_MS, serving, watched

expect.set_options(timeout=PATIENCE_MS)

GATED = '''
import time
from pathlib import Path

import polars as pl
import deltaworks as dw

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-11")
gate = Path(__file__).with_name("gate")

@dw.asset(partitions=days, partition_by="day")
def orders(partition: dw.Partition, log: dw.Logger) -> pl.LazyFrame:
    log.info("the shop sends %s", partition.key)
    while partition.key > "2024-01-02" and not gate.exists():
        time.sleep(0.05)
    return pl.LazyFrame({"day": [partition.start], "amount": [1.5]})

@dw.op
def knock() -> None:
    print("knock, knock")

@dw.job
def call() -> None:
    knock()

mornings = dw.define_schedule("mornings", job=call, cron="0 6 * * *")

@dw.sensor(job=call, interval_s=1, is_on=False)
def bell() -> dw.RunRequest:
    """Hears the bell once."""
    return dw.RunRequest(run_key="once")
'''


CUBE = """
import polars as pl
import deltaworks as dw

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-11")
cube = dw.MultiPartitions({"day": days, "region": dw.StaticPartitions(["eu", "uk", "us"])})

@dw.asset(partitions=cube)
def sales() -> pl.LazyFrame: ...
"""


@pytest.fixture
def here(tmp_path: Path) -> Here:
    found = Here(tmp_path)
    found.write("tables.py", GATED)
    return found


@contextmanager
def daemon(folder: Path) -> Iterator[None]:
    """A daemon beside the block."""
    where = ["-f", str(folder / "tables.py"), "--lake", str(folder / "lake")]
    with subprocess.Popen([sys.executable, "-m", "deltaworks", "daemon", *where], stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)


class Hand:
    """Clicks, and counts how often."""

    def __init__(self) -> None:
        self.clicks = 0

    def click(self, target: Locator) -> None:
        target.click()
        self.clicks += 1


def test_a_backfill_is_launched_from_the_map_watched_canceled_and_tried_again(browser: Browser, here: Here) -> None:
    with serving(here.folder) as address, watched(browser) as page:
        page.goto(f"{address}/assets/orders")
        select_by_keys(page, days=4)
        expect(page.get_by_role("button", name="Plan a backfill of 4")).to_be_visible()
        page.keyboard.press("Enter")

        expect(page.get_by_text("4 partitions of 1 asset")).to_be_visible()
        page.get_by_role("button", name="Launch").click()

        page.wait_for_url(re.compile("/runs/"))
        expect(page.get_by_label("Lines of the log")).to_contain_text("the shop sends 2024-01-03")
        expect(page.locator("[data-log-state]")).to_contain_text("live")
        page.get_by_role("button", name="Cancel run").click()
        expect(page.locator("header .status")).to_have_text("Canceled")

        (here.folder / "gate").touch()
        page.get_by_role("button", name="Retry what is left").click()
        expect(page.locator("header .status")).to_have_text("Success")
        page.goto(f"{address}/assets/orders")
        expect(page.locator("[data-heat]")).to_have_attribute("aria-label", "10 partitions: 4 fresh, 6 missing")


def test_a_sensor_is_switched_on_and_a_daemon_does_what_it_asks_for(browser: Browser, here: Here) -> None:
    with serving(here.folder) as address, watched(browser) as page, daemon(here.folder):
        page.goto(f"{address}/sensors")
        page.get_by_role("button", name="Start sensor bell").click()

        expect(page.get_by_role("button", name="Stop sensor bell")).to_be_visible()
        assert read_switches(Store.at(str(here.lake))) == {"bell": True}
        expect(page.get_by_role("img", name=re.compile("started"))).to_be_visible()  # the list tells by itself
        page.get_by_role("link", name="bell").click()
        page.get_by_role("link", name=re.compile("call")).first.click()
        expect(page.get_by_label("Lines of the log")).to_contain_text("knock, knock")

        page.go_back()
        page.get_by_role("button", name="Stop sensor bell").click()
        expect(page.get_by_role("button", name="Start sensor bell")).to_be_visible()


def test_a_schedule_is_stopped_and_started_again(browser: Browser, here: Here) -> None:
    with serving(here.folder) as address, watched(browser) as page:
        page.goto(address)
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Schedules").click()
        page.get_by_role("button", name="Stop schedule mornings").click()
        expect(page.get_by_role("button", name="Start schedule mornings")).to_be_visible()
        assert read_switches(Store.at(str(here.lake))) == {"mornings": False}

        page.get_by_role("link", name="mornings").first.click()
        page.get_by_role("button", name="Start schedule mornings").click()
        expect(page.get_by_role("button", name="Stop schedule mornings")).to_be_visible()
        assert read_switches(Store.at(str(here.lake))) == {"mornings": True}


def test_why_is_this_asset_stale(browser: Browser, address: str) -> None:
    with watched(browser) as page:
        page.goto(address)
        hand = Hand()
        hand.click(page.get_by_role("link", name="mart/daily", exact=True))
        hand.click(page.get_by_role("link", name="2024-01-01", exact=True).first)
        hand.click(page.get_by_role("link", name="version 2", exact=True))

        expect(page.locator("tr:target")).to_contain_text("materialize")
        assert hand.clicks <= 4
        page.go_back()
        expect(page.get_by_text("changed at version 2")).to_be_visible()


def test_which_run_wrote_this_partition_and_from_which_inputs(browser: Browser, address: str) -> None:
    with watched(browser) as page:
        page.goto(address)
        hand = Hand()
        hand.click(page.get_by_role("link", name="Assets", exact=True))
        hand.click(page.get_by_role("link", name="mart/daily", exact=True))
        with page.expect_response(re.compile("/cells")):
            page.locator("[data-heat]").hover(position={"x": 60, "y": 25})
        page.wait_for_load_state("networkidle")
        heat = page.locator("[data-heat]")
        box = heat.bounding_box()
        assert box is not None
        third_day = {"x": (44 + 7) * box["width"] / (366 * 3 + 92), "y": 25.0}
        heat.click(position={"x": third_day["x"], "y": third_day["y"]})
        hand.clicks += 1
        hand.click(page.get_by_role("button", name="Open"))

        page.wait_for_url(re.compile("/partitions/2024-01-03$"))
        made = page.get_by_text("made at version")
        expect(made.get_by_role("link", name=re.compile(r"^\d{8}T"))).to_be_visible()
        expect(made.get_by_role("link", name=re.compile("^orders"))).to_be_visible()
        assert hand.clicks <= 4


def test_the_last_week_of_a_table_and_all_below_is_redone(browser: Browser, here: Here) -> None:
    (here.folder / "gate").touch()
    with serving(here.folder) as address, watched(browser, has_scripts=False) as page:
        page.goto(address)
        hand = Hand()
        hand.click(page.get_by_role("link", name="Assets", exact=True))
        hand.click(page.get_by_role("link", name="orders", exact=True))
        hand.click(page.get_by_role("link", name="Redo last week and all below"))
        expect(page.get_by_text("2024-01-04 … 2024-01-10")).to_be_visible()
        hand.click(page.get_by_role("button", name="Launch"))

        page.wait_for_url(re.compile("/runs/"))
        assert hand.clicks <= 4
        while page.locator("header .status").all_inner_texts() != ["Success"]:
            page.reload()


def test_a_part_of_a_map_is_zoomed_into_and_left_by_back(browser: Browser, address: str) -> None:
    with watched(browser) as page:
        page.goto(f"{address}/assets/orders/partitions")
        select_by_keys(page, days=3)
        page.get_by_role("button", name="Zoom in").click()

        expect(page.locator("[data-heat]")).to_have_attribute("aria-label", "3 partitions: 3 fresh")
        assert "from=2024-01-01&to=2024-01-03" in page.url
        page.go_back()
        expect(page.locator("[data-heat]")).to_have_attribute("aria-label", re.compile("^10 partitions"))


def test_a_box_of_two_dimensions_is_dragged(browser: Browser, here: Here) -> None:
    here.write("tables.py", CUBE)
    with serving(here.folder) as address, watched(browser) as page:
        page.goto(f"{address}/assets/sales/partitions")
        heat = page.locator("[data-heat]")
        with page.expect_response(re.compile("/cells")):
            heat.hover()
        page.wait_for_load_state("networkidle")
        box = heat.bounding_box()
        assert box is not None
        scale = box["width"] / (10 * 46 + 92)
        (left, lower), (right, upper) = (
            (box["x"] + (44 + column * 46 + 20) * scale, box["y"] + (18 + row * 19 + 7) * scale)
            for column, row in ((2, 2), (4, 1))
        )
        page.mouse.move(left, lower)
        page.mouse.down()
        page.mouse.move(right, upper, steps=3)
        page.mouse.up()

        expect(page.locator("#from")).to_have_value("day=2024-01-03,region=uk")
        expect(page.locator("#to")).to_have_value("day=2024-01-05,region=us")
        page.get_by_role("button", name="Plan a backfill of 6").click()
        expect(page.get_by_text("6 partitions of 1 asset")).to_be_visible()


def select_by_keys(page: Page, days: int) -> None:
    """Select the first days of a map."""
    heat = page.locator("[data-heat]")
    with page.expect_response(re.compile("/cells")):
        heat.focus()
    heat.press("ArrowRight")
    while page.locator("#from").input_value() == "":  # the keys have come, and are about to be read
        heat.press("ArrowRight")
    for _ in range(days - 1):
        heat.press("Shift+ArrowRight")
