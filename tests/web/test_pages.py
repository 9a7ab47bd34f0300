"""What the pages say, without a browser."""

import html
from pathlib import Path

import pytest

from tests.acceptance.conftest import Here
from tests.web.client import TABLES, Client

DAILY = "/assets/mart%2Fdaily"
TABS = ("/partitions", "/history", "/schema", "/checks", "/lineage", "/data", "/metrics")


@pytest.mark.parametrize(
    "path",
    ["/", "/assets", "/api", DAILY]
    + [f"{DAILY}/{tab}" for tab in ("partitions", "history", "schema", "data")]
    + [
        "/assets/total",
        "/assets/total/partitions",
        "/assets/total/history",
        "/assets/total/schema",
        "/assets/total/data",
    ],
)
def test_every_page_is_there(client, path):
    found = client.get(path)

    assert found.status == 200, found.text
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    assert 'aria-current="page"' in found.text


def test_the_overview_says_first_what_needs_attention(client):
    text = client.get("/?window=24h").text

    assert "1 of 10 partitions are stale" in text
    assert text.index("Needs attention") < text.index("Last 24 hours")


def test_the_catalog_is_searched_filtered_and_selected(client):
    def names(query: str) -> list[str]:
        text = client.get(f"/assets?{query}").text
        return [name for name in ("orders", "mart%2Fdaily", "total") if f'href="/assets/{name}"' in text]

    assert names("") == ["orders", "mart%2Fdaily", "total"]
    assert names("q=ORDER") == ["orders"]
    assert names("group=raw") == ["orders"]
    assert names("status=stale") == ["mart%2Fdaily"]
    assert names("select=mart%2Fdaily%2B") == ["mart%2Fdaily", "total"]
    assert names("owner=team%3Ashop") == ["orders"]
    assert "No asset is like that" in client.get("/assets?q=nothing").text


def test_a_range_is_told_with_its_reason(client):
    text = client.get(f"{DAILY}/partitions?status=stale").text

    assert 'data: <a class="link" href="/assets/orders">orders</a> 2024-01-01 changed at <a' in text
    assert f'href="{DAILY}/partitions/2024-01-01"' in text
    assert "never materialized" not in text


def test_a_partition_is_explained_down_to_the_commit(client):
    text = client.get(f"{DAILY}/partitions/2024-01-01").text

    assert '2024-01-01 changed at <a class="link" href="/assets/orders/history?before=3#v2">version 2</a>' in text
    assert "made at version" in text
    assert "deltaworks why mart/daily --partition 2024-01-01" in text
    assert f'rel="next" href="{DAILY}/partitions/2024-01-02"' in text
    assert 'rel="prev"' not in text
    assert client.get(f"{DAILY}/partitions/2030-01-01").status == 404
    assert client.get(f"{DAILY}/why").headers["location"] == f"{DAILY}/partitions"
    assert "never materialized" in client.get("/assets/total/why").text


def test_the_graph_leads_from_what_is_read_to_what_reads_it(client):
    text = client.get("/lineage").text
    numbers = {
        name: text.partition(f'href="/assets/{name}" data-n="')[2].partition('"')[0]
        for name in ("orders", "mart%2Fdaily", "total")
    }

    for start, end in (("orders", "mart%2Fdaily"), ("mart%2Fdaily", "total")):
        assert f'data-a="{numbers[start]}" data-b="{numbers[end]}"' in text
    assert 'href="/assets/total" data-n=' not in client.get("/lineage?select=orders").text
    assert "There is no asset" in client.get("/lineage?select=nothing").text


def test_the_lineage_of_a_column_is_drawn(client):
    text = client.get(f"{DAILY}/lineage?column=amount").text

    assert 'aria-label="orders.amount"' in text
    assert 'aria-label="mart/daily.amount"' in text
    assert "deltaworks lineage mart/daily.amount" in text
    assert client.get(f"{DAILY}/lineage?column=nothing").status == 404


def test_the_history_names_the_run_and_what_it_was_made_from(client, shop):
    text = client.get(f"{DAILY}/history").text

    run = Here(shop).run("history", "mart/daily", "--json", "--lake", str(shop / "lake")).json[0]["run_id"]
    assert f'href="/runs/{run}"' in text
    assert 'href="/assets/orders/data?version=' in text


def test_rows_of_a_version_and_a_partition_are_shown(client):
    version = client.get("/api/v1/assets/orders/history").json[-1]["version"]

    text = client.get(f"/assets/orders/data?version={version}&partition=2024-01-03").text

    assert "1 of 1 row, at version" in text
    assert "2024-01-03" in text
    assert f"deltaworks show orders@v{version} --partition 2024-01-03" in text


def test_what_cannot_be_shown_is_said_on_the_page(client):
    assert "has no version 999" in client.get("/assets/orders/data?version=999").text.replace("&#39;", "'")


def test_a_page_asks_for_a_part_of_itself(client):
    whole, part = client.get("/assets").text, client.get("/assets?part=rows").text

    assert "<html" not in part
    assert part.strip()[:40] in whole
    assert client.get("/assets?part=nothing").status == 404


def test_a_page_that_is_the_same_is_not_sent_again(client):
    first = client.get("/assets?part=rows")

    again = client.get("/assets?part=rows", if_none_match=first.headers["etag"])

    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("path", ["/assets/nothing", "/nothing", "/assets/a%2F..%2Fb", "/assets/nothing/history"])
def test_what_is_not_there_is_said_in_a_page(client, path):
    found = client.get(path)

    assert found.status == 404
    assert "<h1>There is no" in found.text


def test_a_key_with_plain_slashes_leads_to_its_page(client):
    found = client.get("/assets/mart/daily/history")

    assert (found.status, found.headers["location"]) == (308, f"{DAILY}/history")


def test_the_address_of_a_file_changes_with_its_content(client):
    text = client.get("/").text
    href = text.partition('rel="stylesheet" href="')[2].partition('"')[0]

    found = client.get(href)

    assert found.headers["content-type"].startswith("text/css")
    assert "immutable" in found.headers["cache-control"]
    assert client.get("/static/x/..%2fapp.py").status == 404


def test_a_project_that_cannot_be_loaded_is_a_page_that_says_why(tmp_path: Path):
    (tmp_path / "tables.py").write_text("import nothing_like_this\n")
    client = Client.of(tmp_path)

    broken = client.get("/")
    (tmp_path / "tables.py").write_text(TABLES)
    mended = client.get("/")

    assert broken.status == 503
    assert "No module named &#39;nothing_like_this&#39;" in broken.text
    assert mended.status == 200


def test_an_absent_lake_shows_everything_missing_and_creates_nothing(tmp_path: Path):
    (tmp_path / "tables.py").write_text(TABLES)
    client = Client.of(tmp_path)

    text = client.get("/assets/orders").text

    assert "Nothing was committed yet" in text
    assert client.get("/").status == 200
    assert not (tmp_path / "lake").exists()


def test_nothing_from_outside_becomes_markup(tmp_path: Path):
    hostile = "<img src=x onerror=alert(1)>{{ 1234 * 5678 }}"
    text = TABLES.replace("One row per order.", hostile).replace("team:shop", hostile)
    (tmp_path / "tables.py").write_text(text)
    client = Client.of(tmp_path)

    for path in ("/", "/assets", "/assets/orders", "/assets?q=%3Cimg%20src%3Dx%3E", "/%3Cimg%20src=x%3E"):
        found = client.get(path).text
        assert "<img" not in found, path
        assert "7006652" not in found, path
    assert "&lt;img src=x onerror=alert(1)&gt;" in client.get("/assets").text


def test_a_part_of_the_map_and_its_ranges_are_an_address(client):
    text = client.get(f"{DAILY}/partitions?from=2024-01-01&to=2024-01-03&key=1&path=2").text

    assert 'aria-label="3 partitions: 2 fresh, 1 stale"' in text
    assert "2024-01-06" not in text
    assert f'href="{DAILY}/partitions?key=1&amp;path=2">Show all</a>' in text
    assert f'href="{DAILY}/partitions?from=2024-01-01&amp;to=2024-01-03&amp;key=1&amp;path=2&amp;status=stale"' in text
    assert client.get(f"{DAILY}/partitions?from=2024-01-01&to=nothing").status == 422
    assert f'formaction="{DAILY}/partitions">Zoom in</button>' in text


def test_the_page_of_a_partition_is_opened_from_the_form_below_the_map(client):
    found = client.get(f"{DAILY}/partition?from=2024-01-03&to=2024-01-05")

    assert (found.status, found.headers["location"]) == (303, f"{DAILY}/partitions/2024-01-03")


def test_a_cause_leads_to_the_commit_in_the_history(client):
    assert 'id="v2"' in client.get("/assets/orders/history?before=3").text


def test_a_command_in_a_message_looks_like_one(client):
    text = client.get("/backfills/new?select=nothing").text

    assert "<code>deltaworks list</code> shows what is defined." in text


def test_a_partition_that_never_was_is_not_made_again(client):
    text = client.get("/assets/orders/partitions/2024-01-09").text

    assert ">Make it</a>" in text
    assert "again" not in text.partition("<main")[2]


def test_what_an_asset_has_no_page_of_is_not_there(client):
    assert client.get("/assets/orders/nonsense").status == 404
    assert client.get("/assets/mart%2Fdaily/nonsense").status == 404
    assert client.get("/assets/mart/daily/schema").headers["location"] == "/assets/mart%2Fdaily/schema"


def test_rows_come_with_the_code_that_reads_that_version(client, shop):
    text = html.unescape(client.get("/assets/orders/data?version=1").text)

    assert f'pl.scan_delta("{shop}/lake/orders", version=1)' in text
