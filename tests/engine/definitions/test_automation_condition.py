"""Automation conditions as their authors write them."""

from __future__ import annotations

import datetime as dt
import pickle
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.workspace.loading import load_file
from deltaworks.errors import InvalidDefinition

Made = dw.AutomationCondition


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (Made.eager(), "eager()"),
        (Made.on_cron("@daily", "Europe/Berlin"), "on_cron('0 0 * * *', 'Europe/Berlin')"),
        (Made.on_missing() & ~Made.failed(), "on_missing() & ~failed()"),
        (Made.missing() | Made.stale() & Made.in_latest_window(dt.timedelta(days=3)),
         "missing() | stale() & in_latest_window(timedelta(days=3))"),
        ((Made.missing() | Made.stale()) & Made.in_latest_window(), "(missing() | stale()) & in_latest_window()"),
        (~(Made.missing() & Made.failed()), "~(missing() & failed())"),
        (Made.newly_updated().since(Made.cron_tick_passed("0 6 * * *")),
         "newly_updated().since(cron_tick_passed('0 6 * * *'))"),
        (Made.any_upstream_match(Made.missing() | Made.in_progress()).newly_true(),
         "any_upstream_match(missing() | in_progress()).newly_true()"),
        ((Made.missing() & Made.code_version_changed()).since_last_handled(),
         "(missing() & code_version_changed()).since_last_handled()"),
    ],
)  # fmt: skip
def test_a_condition_reads_as_it_is_written(condition: dw.AutomationCondition, text: str) -> None:
    assert repr(condition) == text
    assert pickle.loads(pickle.dumps(condition)) == condition


def test_a_condition_is_what_it_stands_for_whatever_its_name() -> None:
    changed = Made.missing() | Made.code_version_changed() | Made.upstream_changed()

    assert Made.eager() == changed | Made.any_upstream_match(Made.will_be_requested())
    assert Made.on_missing() == Made.missing()
    assert Made.on_missing() != ~Made.missing()


def _deep() -> dw.AutomationCondition:
    condition = Made.missing()
    for _ in range(20):
        condition = ~condition
    return condition


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Made.missing() & True, "& joins conditions, not True"),
        (lambda: Made.missing() and Made.stale(), "join conditions by &, | and ~, not by and, or and not"),
        (lambda: Made.on_cron("0 6 * *"), "cron '0 6 * *' has 4 fields, but needs five"),
        (lambda: Made.cron_tick_passed("@daily", "Europe/Berlim"), "there is no time zone 'Europe/Berlim'."),
        (lambda: Made.in_latest_window(dt.timedelta()), "lookback must be a timedelta above 0"),
        (_deep, "more than 20 conditions lie inside of each other"),
    ],
)
def test_what_is_no_condition_is_refused(make: Any, problem: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        make()
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("automation=dw.AutomationCondition.eager", "automation must be a condition such as"),
        ("max_per_tick=0", "max_per_tick must be a whole number of partitions from 1 on, not 0"),
        ("automation=dw.AutomationCondition.on_cron('61 * * * *')", "cron '61 * * * *' has"),
    ],
)
def test_an_asset_that_is_automated_wrongly_is_refused_with_its_line(
    tmp_path: Path, arguments: str, problem: str
) -> None:
    path = tmp_path / "tables.py"
    path.write_text(f"import deltaworks as dw, polars as pl\n\n@dw.asset({arguments})\ndef a() -> pl.LazyFrame: ...\n")

    with pytest.raises(InvalidDefinition) as refused:
        load_file(path)

    assert problem in str(refused.value)
    assert refused.value.where is not None
    assert (Path(refused.value.where.file).name, refused.value.where.line) in (("tables.py", 3), ("tables.py", 4))


def test_an_asset_keeps_its_condition_which_is_no_part_of_its_code() -> None:
    @dw.asset(automation=Made.eager() & Made.in_latest_window(), max_per_tick=7)
    def a() -> pl.LazyFrame:
        return pl.LazyFrame()

    assert (repr(a.automation), a.max_per_tick) == ("eager() & in_latest_window()", 7)
