"""What rows come to: medians and ratios of one round, wrong answers without figures, tables and bars that say so."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
SVG = "{http://www.w3.org/2000/svg}"


class Bench:
    """The modules of the bench, which are no package."""

    def __init__(self) -> None:
        import charts
        import flights_job
        import goals
        import report
        import results
        import rows

        self.charts: ModuleType = charts
        self.flights_job: ModuleType = flights_job
        self.goals: ModuleType = goals
        self.report: ModuleType = report
        self.results: ModuleType = results
        self.rows: ModuleType = rows


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.syspath_prepend(str(BENCH))
    return Bench()


def a_year(bench: Bench, *rows: tuple[str, int, float, list[float] | None]) -> Any:
    found = [
        bench.rows.Row("backfill, a year", way, {"cpu_s": cpu_s}, number, fingerprint=made)
        for way, number, cpu_s, made in rows
    ]
    return bench.results.Results(found)


def test_a_ratio_is_the_median_over_rounds_that_have_both(bench: Bench) -> None:
    results = a_year(bench, ("a", 0, 2.0, None), ("b", 0, 1.0, None), ("a", 1, 9.0, None), ("b", 1, 3.0, None))

    assert results.ratio("backfill, a year", "a", "b", "cpu_s") == 2.5
    assert results.figure("backfill, a year", "b", "cpu_s") == 2.0
    assert results.ratio("backfill, a year", "a", "nobody", "cpu_s") is None


def test_a_wrong_table_wins_nothing(bench: Bench) -> None:
    script = "plain script, one commit a table"
    results = a_year(bench, (script, 0, 2.0, [10, 7.5]), ("right", 0, 1.5, [10, 7.5]), ("quick", 0, 0.1, [9, 7.5]))

    (line,) = [line for line in bench.report.comparisons(results).splitlines() if line.startswith("| quick")]
    picture = ElementTree.fromstring(bench.report.picture(results))

    assert line == "| quick |  | **WRONG** |"
    assert [text.text for text in picture.iter(f"{SVG}text")][-1] == "WRONG"
    assert len(list(picture.iter(f"{SVG}rect"))) == 1 + 2, "the paper and two bars"


def test_the_longest_bar_fills_the_room_and_hostile_names_stay_text(bench: Bench) -> None:
    charts = bench.charts
    picture = ElementTree.fromstring(
        charts.chart("t", [charts.Panel("<p>", [charts.Bar("<script>", 4.0, "4"), charts.Bar("b", 1.0, "1")])])
    )

    long, short = (float(each.attrib["width"]) for each in list(picture.iter(f"{SVG}rect"))[1:])
    assert long == pytest.approx(4 * short, rel=0.01)
    assert "<script>" in [text.text for text in picture.iter(f"{SVG}text")]


def test_each_goal_is_met_missed_or_not_measured(bench: Bench) -> None:
    row = bench.rows.Row
    rows = [
        row("validation of a thousand rows", way, {"cpu_ms": cpu_ms})
        for way, cpu_ms in (("deltaworks", 1.2), ("pandera", 9.0))
    ]

    table = bench.report.goals(bench.results.Results(rows)).splitlines()[2:]

    assert len(table) == len(bench.goals.GOALS)
    assert "| validation of 1,000 rows: CPU | ≤ 2.00 ms | pandera: 9.00 ms | 1.20 ms | met |" in table
    assert sum(line.endswith("| not measured |") for line in table) == len(table) - 1


def test_a_row_says_where_it_was_made_and_comes_back_as_it_was(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_ROWS", str(tmp_path / "rows.jsonl"))
    row = bench.rows.Row("c", "w", {"cpu_s": 1.0}, 2, {"days": 3}, [1, 2.5])

    bench.rows.keep(row)
    bench.rows.keep(row)

    assert bench.rows.read([tmp_path / "rows.jsonl"]) == [row, row]
    kept = json.loads((tmp_path / "rows.jsonl").read_text().splitlines()[0])
    assert {"polars", "deltalake", "python"} <= set(kept["versions"])
    assert set(kept["machine"]) == {"system", "processor", "cores", "memory_gib"}, "its kind, and not which one it is"


def test_only_what_lies_between_the_marks_of_a_page_is_replaced(bench: Bench) -> None:
    others = "<!-- made from rows: growth -->\n<!-- end -->\n"
    page = f"before\n{others}<!-- made from rows: goals -->\n\nold\n\n<!-- end -->\nafter\n"

    filled = bench.report.filled(page, {"goals": "new"})

    assert filled == page.replace("old", "new")
    assert bench.report.filled(filled, {"goals": "old"}) == page
    with pytest.raises(SystemExit, match="no marks for 'peers'"):
        bench.report.filled(page, {"peers": "x"})


def test_the_job_without_the_engine_is_the_example(bench: Bench) -> None:
    from tests.bench.running import example

    theirs = example()

    for name in ("Flight", "DailyCarrier", "TrailingWeek"):
        ours, model = getattr(bench.flights_job, name).to_schema(), getattr(theirs, name).to_schema()
        assert {column: (each.dtype, each.nullable, each.checks) for column, each in ours.columns.items()} == {
            column: (each.dtype, each.nullable, each.checks) for column, each in model.columns.items()
        }


def test_the_page_says_what_the_kept_rows_say(bench: Bench) -> None:
    report = bench.report
    results = bench.results.Results(bench.rows.read(sorted((BENCH / "results").glob("2*.jsonl"))))
    page = (report.DOCS / "performance.md").read_text(encoding="utf-8")

    assert report.filled(page, report.parts(results)) == page, "python bench/report.py bench/results/2*.jsonl --docs"
    assert report.CHART.read_text(encoding="utf-8") == report.picture(results)
