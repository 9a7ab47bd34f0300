"""Stories in a real browser: what scripts add to the pages."""

import re

import pytest
from playwright.sync_api import expect

from tests.web.browser import watched


def test_a_range_is_selected_on_the_map_and_planned(browser, address):
    with watched(browser) as page:
        page.goto(f"{address}/assets/mart%2Fdaily")
        heat = page.locator("[data-heat]")
        with page.expect_response(re.compile("/cells")):
            heat.hover(position={"x": 60, "y": 25})

        # The first six days of January, 3 of some 1190 units each.
        box, scale = heat.bounding_box(), heat.bounding_box()["width"] / 1190
        page.mouse.move(box["x"] + (44 + 4) * scale, box["y"] + 25 * scale)
        page.mouse.down()
        page.mouse.move(box["x"] + (44 + 17) * scale, box["y"] + 25 * scale, steps=4)
        page.mouse.up()

        form = page.locator("[data-range]")
        expect(form.locator("[name=from]")).to_have_value("2024-01-02")
        expect(form.locator("[name=to]")).to_have_value("2024-01-06")
        expect(page.locator("[data-tip]")).to_have_text("2024-01-06")


def test_a_range_is_selected_by_keys(browser, address):
    with watched(browser) as page:
        page.goto(f"{address}/assets/orders/partitions")
        heat = page.locator("[data-heat]")
        with page.expect_response(re.compile("/cells")):
            heat.focus()
        expect(page.locator("[data-range] [name=from]")).to_have_value("")

        page.wait_for_load_state("networkidle")
        heat.press("ArrowRight")
        heat.press("Shift+ArrowRight")
        heat.press("Shift+ArrowRight")
        expect(page.locator("[data-range] [name=from]")).to_have_value("2024-01-01")
        expect(page.locator("[data-range] [name=to]")).to_have_value("2024-01-03")

        heat.press("Escape")
        expect(page.locator("[data-range] [name=from]")).to_have_value("")


def test_the_graph_is_walked_by_keys_and_back_leaves_it(browser, address):
    with watched(browser) as page:
        page.goto(f"{address}/assets")
        page.goto(f"{address}/lineage")
        orders, daily = (page.locator(f'a[data-n][aria-label^="{name},"]') for name in ("orders", "mart/daily"))
        orders.focus()

        page.keyboard.press("ArrowRight")
        expect(daily).to_be_focused()
        expect(page.locator("svg.graph")).to_have_class(re.compile("dim"))
        expect(page.locator(".lines path.hot")).to_have_count(2)

        page.keyboard.press("+")
        page.wait_for_url(re.compile("#x="))
        page.go_back()
        page.wait_for_url(f"{address}/assets")
        page.go_forward()
        page.wait_for_url(re.compile("#x="))
        page.locator('a[data-n][aria-label^="mart/daily,"]').focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"{address}/assets/mart%2Fdaily")


def test_in_a_narrow_window_a_graph_can_be_read_at_once(browser, address):
    with watched(browser, width=390) as page:
        page.goto(f"{address}/lineage")

        expect(page.locator("svg.graph")).not_to_have_class(re.compile("far"))
        expect(page.locator('a[data-n][aria-label^="mart/daily,"]')).to_be_in_viewport()


def test_the_theme_is_kept(browser, address):
    with watched(browser) as page:
        page.goto(address)
        page.get_by_role("button", name="Dark mode").click()

        page.goto(f"{address}/assets")

        expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_slash_finds_an_asset(browser, address):
    with watched(browser) as page:
        page.goto(address)
        page.keyboard.press("/")
        page.keyboard.type("daily")
        page.keyboard.press("Enter")

        page.wait_for_url(f"{address}/assets?q=daily")
        expect(page.get_by_role("link", name="mart/daily")).to_be_visible()


def test_without_scripts_causes_are_followed_down_to_the_commit(browser, address):
    with watched(browser, has_scripts=False) as page:
        page.goto(address)
        page.get_by_role("link", name="mart/daily", exact=True).click()
        page.get_by_role("link", name="2024-01-01", exact=True).first.click()

        expect(page.get_by_text("orders 2024-01-01 changed at version 2")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1440])
def test_no_page_scrolls_sideways(browser, address, width):
    with watched(browser, width) as page:
        for path in (
            "/",
            "/assets",
            "/lineage",
            "/assets/orders",
            "/assets/orders/partitions?from=2024-01-01&to=2024-01-03",
            "/assets/orders/checks",
            "/assets/orders/data",
            "/backfills/new?select=orders",
            "/runs/latest",
            "/automation",
            "/settings",
            "/api",
        ):
            page.goto(address + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
