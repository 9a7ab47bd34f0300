"""Judge frames as the engine does: one row of aggregates, and what is left to pandera."""

from typing import Any, Literal

import polars as pl

from deltaworks.validation import Contract, Verdict, compile_contract

Row = dict[str, Any]


def judge(model: type | None, df: pl.DataFrame) -> Verdict:
    contract = compile_contract(model, df.schema)
    assert contract.problems == ()
    return judge_by(contract, df)


def judge_by(contract: Contract, df: pl.DataFrame) -> Verdict:
    return contract.judge(measure(contract, df), contract.judge_residual(df))


def measure(contract: Contract, df: pl.DataFrame, engine: Literal["in-memory", "streaming"] = "in-memory") -> Row:
    try:
        return df.lazy().select(contract.aggregates()).collect(engine=engine).row(0, named=True)
    except pl.exceptions.PolarsError:
        return contract.aggregates_apart(df.lazy())


def sentences(model: type, df: pl.DataFrame) -> list[str]:
    verdict = judge(model, df)
    return [str(result) for result in compile_contract(model, df.schema).samples(df, verdict.results)]
