"""ExampleRows: frames for tests, made from what a pandera model says, so that they keep all of its rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Any, cast

import polars as pl

from deltaworks.errors import RequestError
from deltaworks.validation.compile import compile_contract
from deltaworks.validation.contract import Contract
from deltaworks.validation.example_values import ExampleValues
from deltaworks.validation.model import Declared, DeclaredColumn, declare
from deltaworks.validation.rules import RuleKind

_TRIES = (1, 32, 1_024)
"""How many candidates are drawn for each row, until one keeps the rules."""

_PLACE = "\x00deltaworks place"
_DRAWS = 100


def minimal_rows(model: type, rows: int = 1, /, **columns: object) -> pl.DataFrame:
    """Return rows of the plainest values that keep a model's rules: zeros, short texts, the first of what is allowed.

    Args:
        model: a pandera model; its required columns are made.
        rows: how many.
        columns: values of one's own, one for each row, or one for all.

    Raises:
        RequestError: no rows are found that keep the rules.
    """
    return _rows(model, rows, None, columns)


def random_rows(model: type, rows: int = 10, /, *, seed: int = 0, **columns: object) -> pl.DataFrame:
    """Return rows of random values that keep a model's rules, the same for the same seed; see `minimal_rows`."""
    return _rows(model, rows, Random(seed), columns)  # noqa: S311 - data for tests


def _rows(model: type, rows: int, random: Random | None, columns: Mapping[str, object]) -> pl.DataFrame:
    declared = declare(model)
    given = {name: _spread(declared, name, values, rows) for name, values in columns.items()}
    known = {each.name: each for each in declared.columns}
    wanted = [each for each in declared.columns if each.required and each.name not in given]
    schema = pl.Schema(
        {name: given[name].dtype if name not in known else known[name].dtype for name in _order(declared, given)}
    )
    contract = compile_contract(model, schema)
    if contract.problems:
        raise RequestError(f"Model {declared.name}: {contract.problems[0].message}.")
    df = pl.DataFrame(schema=schema)
    for number, tries in enumerate(_TRIES):
        lucky = random if number == 0 else random or Random(number)  # noqa: S311 - data for tests
        df = _kept(contract, _candidates(declared, wanted, given, schema, rows, tries, lucky), rows)
        if df.height == rows and not _problems(contract, df):
            return df
    told = (
        "; ".join(_problems(contract, df)) if df.height == rows else _unkept(contract, declared, wanted, given, schema)
    )
    raise RequestError(
        f"Model {declared.name}: no {rows:,} rows are found by drawing that keep its rules: {told}. Give the columns "
        "that the rule is about, for example column=[...]."
    )


def _order(declared: Declared, given: Mapping[str, pl.Series]) -> list[str]:
    own = [each.name for each in declared.columns if each.required or each.name in given]
    return [*own, *(name for name in given if name not in own)]


def _spread(declared: Declared, name: str, values: object, rows: int) -> pl.Series:
    """Return a column that somebody gives, with the dtype of the model."""
    dtype = next((each.dtype for each in declared.columns if each.name == name), None)
    many = isinstance(values, pl.Series | list | tuple | range)
    found = list(cast("Sequence[Any]", values)) if many else [values] * rows
    if len(found) != rows:
        raise RequestError(f"Model {declared.name}: column {name!r} is given {len(found):,} values for {rows:,} rows.")
    try:
        return pl.Series(name, found, dtype)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise RequestError(f"Model {declared.name}: column {name!r} is {dtype}: {error}.") from error


def _candidates(
    declared: Declared,
    wanted: Sequence[DeclaredColumn],
    given: Mapping[str, pl.Series],
    schema: pl.Schema,
    rows: int,
    tries: int,
    random: Random | None,
) -> pl.DataFrame:
    """Return several rows for each place of the result."""
    distinct = {name for key in declared.keys for name in key if name not in given}
    places = list(range(rows)) * tries
    found: dict[str, Any] = {
        each.name: _drawn(declared, each, len(places), random, is_unique=each.unique or each.name in distinct)
        for each in wanted
    }
    found |= {name: values.to_list() * tries for name, values in given.items()}
    df = pl.DataFrame({name: pl.Series(name, found[name], schema[name], strict=False) for name in schema})
    return df.with_columns(pl.Series(_PLACE, places, pl.Int64))


def _drawn(
    declared: Declared, column: DeclaredColumn, count: int, random: Random | None, *, is_unique: bool
) -> list[Any]:
    values = ExampleValues(column)
    try:
        if not is_unique:
            return [values.draw(0 if random is None else place, random) for place in range(count)]
        found: dict[str, Any] = {}
        for place in range(count * _DRAWS):
            value = values.draw(place, random)
            found.setdefault(repr(value), value)
            if len(found) == count:
                break
    except LookupError as error:
        raise RequestError(
            f"Model {declared.name}: nothing is known about values of column {column.name!r}, {error}; give it, for "
            f"example {column.name}=[...]."
        ) from error
    drawn = list(found.values())
    return drawn + drawn[-1:] * (count - len(drawn))  # what repeats breaks the rule, and that says so


def _kept(contract: Contract, candidates: pl.DataFrame, rows: int) -> pl.DataFrame:
    """Return the first candidate of each place that keeps the rules of rows."""
    claims = [rule.expression for rule in contract.rules if rule.kind is RuleKind.ROW]
    df = candidates
    if claims:
        with suppress(pl.exceptions.PolarsError):  # the verdict tells of a rule that raises
            df = df.filter(pl.all_horizontal(claims))
    return df.unique(_PLACE, keep="first", maintain_order=True).sort(_PLACE).head(rows).drop(_PLACE)


def _problems(contract: Contract, df: pl.DataFrame) -> list[str]:
    """Return what rows break, a sentence for each rule."""
    try:
        row: Mapping[str, object] = df.select(contract.aggregates()).row(0, named=True)
    except pl.exceptions.PolarsError:
        row = contract.aggregates_apart(df.lazy())
    verdict = contract.judge(row, contract.judge_residual(df))
    return [str(each) for each in contract.samples(df.lazy(), verdict.results)]


def _unkept(
    contract: Contract,
    declared: Declared,
    wanted: Sequence[DeclaredColumn],
    given: Mapping[str, pl.Series],
    schema: pl.Schema,
) -> str:
    """Say which rules a row breaks that is drawn at random."""
    count = min((len(values) for values in given.values()), default=1)
    df = _candidates(declared, wanted, given, schema, count, 1, Random(0)).drop(_PLACE)  # noqa: S311 - data for tests
    return "; ".join(_problems(contract, df)) or "several rules together"
