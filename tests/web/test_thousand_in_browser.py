"""The graph of a thousand assets in a real browser."""

import pytest
from playwright.sync_api import Browser, expect

from tests.web.browser import PATIENCE_MS, serving, watched
from tests.web.test_sizes import THOUSAND

pytestmark = pytest.mark.soak


def test_a_thousand_assets_are_grouped_first_and_walked_when_they_are_apart(browser: Browser, tmp_path) -> None:
    (tmp_path / "tables.py").write_text(THOUSAND)
    with serving(tmp_path) as address, watched(browser) as page:
        boxes = page.locator("a[data-n]")
        page.goto(f"{address}/lineage")
        expect(boxes).to_have_count(25, timeout=PATIENCE_MS)
        page.get_by_role("link", name="Show all 1 000 assets").click()
        expect(boxes).to_have_count(1000, timeout=PATIENCE_MS)
        expect(page.locator("svg.graph.far")).to_be_visible()

        for _ in range(8):
            page.get_by_role("button", name="Zoom in").click()
        shown = page.locator("a[data-n]:not(.out)")
        expect(page.locator("svg.graph.far")).to_have_count(0)
        assert 0 < shown.count() < 100

        shown.nth(shown.count() // 2).focus()
        expect(page.locator("a[data-n].hot")).to_have_count(25)
        expect(page.locator(".lines path.hot")).to_have_count(24)
        before = page.locator("a[data-n]:focus").get_attribute("aria-label")
        page.keyboard.press("ArrowLeft")
        after = page.locator("a[data-n]:focus").get_attribute("aria-label")
        assert before is not None
        assert after is not None
        number, other = (int(name.partition("table_")[2][:4]) for name in (before, after))
        assert number - other == 40  # what it reads

        page.get_by_role("link", name="Show groups").click()
        expect(boxes).to_have_count(25)
        page.goto(f"{address}/lineage?select=2%2Bstage_39%2Ftable_0999")
        expect(boxes).to_have_count(3)
