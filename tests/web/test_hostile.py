"""Names, data and errors that are markup: every page shows them as text, and no script of theirs runs."""

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from deltaworks.engine.workspace.project import Origin
from deltaworks.io.ledger import read_runs
from deltaworks.io.store import Store
from tests.acceptance.conftest import Here
from tests.web.browser import serving, watched
from tests.web.client import Client
from tests.web.hostile import KEY, KINDS, Seen, made, markup
from tests.web.routes import pages_of

ASKED = (
    *("q", "select", "group", "owner", "status", "sort", "column", "partition", "version", "before", "after", "next"),
    *("from", "to", "partitions", "only", "asset", "job"),
)


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    here = Here(tmp_path_factory.mktemp("evil"))
    made(here)
    return here.folder


def filled(pattern, named):
    return re.sub(r"\{(\w+)[^}]*\}", lambda part: quote(named.get(part[1], markup("path")), safe=""), pattern)


@pytest.fixture(scope="module")
def answers(evil):
    """What every page answers, by its address: of what there is, of what there is not, and to markup in its query."""
    client = Client.of(evil)
    runs = [run.run_id for run in read_runs(Store.at(str(evil / "lake")))]
    known = {"key": KEY, "partition": markup("key"), "run": runs[0], "name": "loud"}
    others = ({"key": "broken", "run": runs[1], "name": "never"}, {"name": "nothing"})
    query = "&".join(f"{name}={quote(markup('query'))}" for name in ASKED)
    found = {}
    for pattern in pages_of(Origin(file=evil / "tables.py")):
        for named in (known, *({**known, **other} for other in others), {}):
            path = filled(pattern, named)
            for address in (path, f"{path}?{query}"):
                found[address] = client.get(address)
    found["the dry run of a schedule"] = client.submit("/schedules/never/preview", {})
    return found


def test_no_page_takes_text_for_markup(answers):
    wrong = {address: seen for address, each in answers.items() if (seen := Seen(each.text).wrong)}

    assert len(answers) > 60
    assert {each.status for each in answers.values()} <= {200, 303, 404, 422}
    assert wrong == {}


@pytest.mark.parametrize("kind", [*KINDS, "query"])
def test_what_is_markup_is_shown_all_the_same(answers, kind):
    assert any(f"<canary-{kind}" in Seen(each.text).text for each in answers.values())


def test_no_script_of_a_name_runs_in_a_browser(browser, evil):
    with serving(evil) as address, watched(browser) as page:
        page.add_init_script("window.boom = () => { window.exploded = true; }")
        for path in ("/", "/assets", "/lineage", *(f"/assets/{quote(KEY, safe='')}{tab}" for tab in ("", "/data"))):
            page.goto(address + path)
            expect(page.locator("main")).to_be_visible()
            assert page.evaluate("window.exploded") is None, path
        page.goto(f"{address}/assets/{quote(KEY, safe='')}/partitions")
        heat = page.locator("[data-heat]")
        with page.expect_response(re.compile("/cells")):
            heat.focus()
        heat.press("ArrowRight")
        expect(page.locator("[data-range] [name=from]")).to_have_value(markup("key"))
        assert page.evaluate("window.exploded") is None
