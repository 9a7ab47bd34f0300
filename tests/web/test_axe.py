"""Every page in both themes, looked at by axe: whoever cannot see it, or has no mouse, can use it."""

import re
from urllib.parse import quote

from axe_playwright_python.sync_playwright import Axe

from deltaworks.engine.workspace.project import Origin
from deltaworks.io.ledger import read_runs
from deltaworks.io.store import Store
from tests.web.browser import watched
from tests.web.routes import pages_of

COLORS = {"runOnly": ["color-contrast"]}
"""What a theme may change."""
PARAMETERS = {"key": "mart/daily", "partition": "2024-01-01"}
NAMES = {"jobs": "reports", "schedules": "every_morning", "sensors": "on_orders"}
"""By the first part of the path, what `{name}` is."""


def filled(pattern, names):
    return re.sub(r"\{(\w+)[^}]*\}", lambda part: quote(names.get(part[1], "x"), safe=""), pattern)


def test_axe_finds_nothing_on_any_page_in_any_theme(browser, address, client, shop):
    run = read_runs(Store.at(str(shop / "lake")))[0].run_id
    known = {**PARAMETERS, "run": run}
    patterns = pages_of(Origin(file=shop / "tables.py"))
    named = [(each, {**known, "name": NAMES.get(each.split("/")[1], "x")}) for each in patterns]
    paths = [filled(pattern, names) for pattern, names in named]
    paths = [path for path in paths if client.get(path).status == 200]
    found = {}

    # axe is put into the page as a script, which the policy of the pages forbids to everybody.
    with watched(browser, has_policy=False) as page:
        for path in paths:
            page.emulate_media(color_scheme="light", reduced_motion="reduce")  # colours change at once
            page.goto(address + path)
            wrong = Axe().run(page).response["violations"]
            page.emulate_media(color_scheme="dark")
            wrong += Axe().run(page, options=COLORS).response["violations"]
            found |= {f"{path} {each['id']}": [node["html"] for node in each["nodes"]] for each in wrong}

    assert {f"/{place}/{name}" for place, name in NAMES.items()} <= set(paths)
    assert found == {}
