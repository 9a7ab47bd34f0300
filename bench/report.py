"""Tables and charts from the rows of benches: `python bench/report.py ROWS...`, and into the docs with `--docs`.

Tables are printed as Markdown. `--docs` puts them between the marks in `docs/performance.md` and draws the chart beside
it, so that no figure of that page is typed by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from charts import Bar, Panel, chart
from comparisons import COMPARISONS, Comparison
from goals import GOALS, Goal
from results import Results
from rows import Row, read
from ways import is_ours

DOCS = Path(__file__).parents[1] / "docs"
CHART = DOCS / "performance" / "peers.svg"
HEADS = {
    "cpu_s": "CPU s",
    "wall_s": "wall s",
    "peak_mib": "peak MiB",
    "cpu_ms": "CPU ms",
    "compose_ms": "of it composing",
    "cpu_percent": "% of a core",
    "pss_mb": "PSS MB",
    "processes": "processes",
    "median_s": "median s",
    "p95_s": "p95 s",
    "longest_s": "longest s",
}
WRONG = "**WRONG**"
SIZES = {"lake", "commits"}
"""By which of a row's sizes growth is told."""
MANY = 5


def main() -> None:
    """Print the tables, or put them into the docs."""
    is_for_docs = "--docs" in sys.argv
    results = Results(read([Path(each) for each in sys.argv[1:] if each != "--docs"]))
    if not is_for_docs:
        print("\n\n".join(parts(results).values()))
        return
    page = DOCS / "performance.md"
    page.write_text(filled(page.read_text(encoding="utf-8"), parts(results)), encoding="utf-8")
    CHART.parent.mkdir(exist_ok=True)
    CHART.write_text(picture(results), encoding="utf-8")


def parts(results: Results) -> dict[str, str]:
    """Return what stands between the marks of the page, by their names."""
    return {
        "conditions": conditions(results.rows),
        "goals": goals(results),
        "peers": comparisons(results),
        "growth": growth(results),
    }


def filled(page: str, parts: dict[str, str]) -> str:
    """Return a page with what lies between its marks replaced.

    Raises:
        SystemExit: it has no such marks.
    """
    for name, text in parts.items():
        pattern = re.compile(rf"(<!-- made from rows: {name} -->\n)(?:(?!<!-- ).)*(<!-- end -->)", re.DOTALL)
        if not pattern.search(page):
            raise SystemExit(f"docs/performance.md has no marks for {name!r}")
        page = pattern.sub(lambda found, text=text: f"{found[1]}\n{text}\n\n{found[2]}", page)
    return page


def conditions(rows: Sequence[Row]) -> str:
    """Return a sentence on when, where and with what the rows were made."""
    if not rows:
        return "No rows."
    machine = rows[0].machine
    versions = {name: text for row in rows for name, text in row.versions.items()}
    loads = [row.load for row in rows]
    first, last = min(row.at for row in rows), max(row.at for row in rows)
    return (
        f"{first[:16]} to {last[:16]} UTC, {machine['cores']} shared cores, {machine['memory_gib']} GiB, "
        f"{machine['system']} {machine['processor']}; "
        + ", ".join(f"{name} {text}" for name, text in versions.items())
        + f"; between {min(loads):g} and {max(loads):g} processes wanted a core."
    )


def goals(results: Results) -> str:
    """Return the table of goals: what may be, what others take, what this engine takes."""
    lines = ["| what | goal | best peer | deltaworks | |", "|---|---|---|---|---|"]
    for goal in GOALS:
        ours = goal.ours(results)
        word = "not measured" if ours is None else "met" if goal.is_met(ours) else "**missed**"
        sign = "≥" if goal.is_least else "≤"
        said = "" if ours is None else number(ours, goal.unit)
        lines.append(
            f"| {goal.what} | {sign} {number(goal.limit, goal.unit)} | {_best(goal, results)} | {said} | {word} |"
        )
    return "\n".join(lines)


def _best(goal: Goal, results: Results) -> str:
    found = [(value, name) for name, finder in goal.peers if (value := finder(results)) is not None]
    if not found:
        return ""
    value, name = min(found)
    return f"{name}: {number(value, goal.unit)}"


def comparisons(results: Results) -> str:
    """Return a table for each case, a row for each way."""
    return "\n\n".join(_table(each, results) for each in COMPARISONS if results.ways(each.case))


def _table(each: Comparison, results: Results) -> str:
    ways = results.ways(each.case)
    names = [name for name in HEADS if any(name in row.figures for way in ways for row in results.of(each.case, way))]
    wrong = results.wrong(each.case, each.reference)
    lines = [
        f"**{each.title}**",
        "",
        "| " + " | ".join(["", *(HEADS[name] for name in names)]) + " | |",
        "|---|" + "---:|" * len(names) + "---|",
    ]
    for way in ways:
        figures = [results.figure(each.case, way, name) for name in names]
        cells = ["" if figure is None or way in wrong else number(figure) for figure in figures]
        lines.append(f"| {way} | " + " | ".join(cells) + f" | {WRONG if way in wrong else ''} |")
    return "\n".join(lines)


def growth(results: Results) -> str:
    """Return how costs grow with what there is: a row for each case that was measured at several sizes."""
    lines = ["| CPU | of | at each size |", "|---|---|---|"]
    for case in dict.fromkeys(row.case for row in results.rows):
        for way in results.ways(case):
            by_size = {_size(row): row for row in results.of(case, way) if row.sizes.keys() & SIZES}
            if len(by_size) > 1:
                said = "; ".join(f"{size}: {_cost(row)}" for size, row in by_size.items() if size in _told(by_size))
                lines.append(f"| {case} | {way} | {said} |")
    return "\n".join(lines)


def _told(sizes: Iterable[str]) -> set[str]:
    """Return the sizes worth telling: of many, those that are a power of ten."""
    of = list(sizes)
    return {size for size in of if len(of) <= MANY or re.match(r"10*\b", size.replace(",", ""))}


def _size(row: Row) -> str:
    name = next(iter(row.sizes.keys() & SIZES))
    size = row.sizes[name]
    return size if isinstance(size, str) else f"{size:,} {name}"


def _cost(row: Row) -> str:
    units = {"cpu_s_beyond_imports": "s", "cpu_ms": "ms"}
    return next(number(row.figures[name], unit) for name, unit in units.items() if name in row.figures)


def picture(results: Results) -> str:
    """Return the chart of all comparisons."""
    panels = [panel for each in COMPARISONS if (panel := _panel(each, results))]
    return chart("deltaworks beside others", panels)


def _panel(each: Comparison, results: Results) -> Panel | None:
    bars = list(_bars(each, results))
    return Panel(f"{each.title} ({each.unit})", bars) if len(bars) > 1 else None


def _bars(each: Comparison, results: Results) -> Iterator[Bar]:
    wrong = results.wrong(each.case, each.reference)
    for way in results.ways(each.case):
        value = results.figure(each.case, way, each.figure)
        if value is not None:
            says = "WRONG" if way in wrong else number(value)
            yield Bar(way, value, says, is_ours(way), way in wrong)


def number(value: float, unit: str = "") -> str:
    """Return a number with two digits that say something, and its unit."""
    text = f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    if 0 < value < 0.1:
        text = f"{value:.3f}"
    return text if not unit else f"{text}{unit}" if unit == "x" else f"{text} {unit}"


if __name__ == "__main__":
    main()
