"""The map of an asset with more cells than can be drawn one by one, in a real browser: a canvas."""

import json
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.web.browser import serving, watched

TABLES = """
import polars as pl
import deltaworks as dw

devices = dw.StaticPartitions([f"d{number:05}" for number in range(12_000)])

@dw.asset(partitions=devices, partition_by="device")
def readings(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"device": [partition.key]})
"""


@pytest.fixture(scope="module")
def devices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    (folder / "tables.py").write_text(TABLES)
    with serving(folder) as address:
        yield address


def test_a_range_is_dragged_on_a_canvas_and_planned(browser, devices):
    with urllib.request.urlopen(f"{devices}/api/v1/assets/readings/cells") as answer:
        cells = json.load(answer)
    with watched(browser) as page:
        page.goto(f"{devices}/assets/readings/partitions")
        canvas = page.locator(f'canvas[data-painted="{cells["rows"] * cells["columns"]}"]')
        canvas.scroll_into_view_if_needed()
        with page.expect_response(lambda answer: answer.url.endswith("/cells")):
            canvas.hover(position={"x": 1, "y": 1})
        page.wait_for_load_state("networkidle")
        wide, high = (float(canvas.get_attribute(f"data-{name}") or 0) for name in ("cell-width", "pitch"))
        at = canvas.bounding_box()
        assert at is not None

        def place(row: int, column: int) -> tuple[float, float]:
            return at["x"] + (column + 0.5) * wide, at["y"] + (row + 0.5) * high

        page.mouse.move(*place(1, 2))
        page.mouse.down()
        page.mouse.move(*place(1, 9), steps=4)
        page.mouse.up()
        page.mouse.move(*place(3, 12))  # nobody drags any more

        keys = cells["keys"][cells["columns"] :]
        form = page.locator("[data-range]")
        expect(form.locator("[name=from]")).to_have_value(keys[2][0])
        expect(form.locator("[name=to]")).to_have_value(keys[9][1])
        frame = page.locator("[data-frame]").get_attribute("d") or ""
        assert frame.startswith(f"M{2 * wide:g} {high:g}h{8 * wide:g}")

        canvas.press("Shift+ArrowRight")
        expect(form.locator("[name=to]")).to_have_value(keys[10][1])
        canvas.press("Enter")
        page.wait_for_url("**/backfills/new?*")
        expect(page.get_by_label("From")).to_have_value(keys[2][0])


def test_a_selection_stays_when_the_map_is_refreshed(browser, devices):
    with watched(browser) as page:
        page.clock.install()
        page.goto(f"{devices}/assets/readings")
        heat = page.locator("[data-heat]")
        with page.expect_response(lambda answer: answer.url.endswith("/cells")):
            heat.focus()
        page.wait_for_load_state("networkidle")
        heat.press("ArrowRight")
        frame = page.locator("[data-frame]").get_attribute("d")
        assert frame

        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.clock.fast_forward(25_000)

        assert page.locator("[data-frame]").get_attribute("d") == frame
        assert not any("part=" in url for url in asked)
        heat.press("Escape")
        with page.expect_response(lambda answer: "part=" in answer.url):
            page.clock.fast_forward(25_000)
