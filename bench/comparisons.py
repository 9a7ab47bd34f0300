"""Comparisons: the cases in which others do the same, and the one whose result counts as the true one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ways import LOOP, PLAIN_STAR, POLARS_SINK, SCRIPT


@dataclass(frozen=True, slots=True)
class Comparison:
    """A case, as a table and a panel of a chart show it."""

    case: str
    title: str
    figure: str
    """Which of its figures the chart draws."""
    unit: str
    reference: str | None = None
    """The way whose fingerprint the others must have; none where there is no table to compare."""


COMPARISONS: Sequence[Comparison] = (
    Comparison("backfill, a year", "A year of flights, 1,095 partitions, batches allowed", "cpu_s", "CPU s", SCRIPT),
    Comparison("backfill, days", "A month of flights, 90 partitions, each by itself", "cpu_s", "CPU s", LOOP),
    Comparison("nothing to do", "The year asked for again: nothing to do", "cpu_s", "CPU s"),
    Comparison("start: --version", "Command line: --version", "cpu_s", "CPU s"),
    Comparison("start: list", "Command line: load the project and list", "cpu_s", "CPU s"),
    Comparison("automation tick", "Automation, 1,000 assets of ten years: a tick", "cpu_s", "CPU s"),
    Comparison("commit to run", "From a commit to the start of its run", "median_s", "s"),
    Comparison("idle", "An idle service: memory", "pss_mb", "MB"),
    Comparison("an op that does nothing", "An op that does nothing", "cpu_ms", "CPU ms"),
    Comparison("validation", "20 million rows against 21 rules", "cpu_s", "CPU s"),
    Comparison("validation of a thousand rows", "A thousand rows against 22 rules", "cpu_ms", "CPU ms"),
    Comparison("tpch", "TPC-H: eight tables of orders by the month of shipping", "cpu_s", "CPU s", PLAIN_STAR),
    Comparison("backfill", "A year of flights beside plain scripts", "cpu_s", "CPU s", LOOP),
    Comparison("larger than memory", "A source larger than memory", "wall_s", "s", POLARS_SINK),
    Comparison("one commit a partition", "A year of partitions that are a commit each", "cpu_ms", "CPU ms each"),
)
