"""Judge frames as the engine does: one row of aggregates, and what is left to pandera."""

import polars as pl

from deltaworks.validation import Contract, Verdict, compile_contract


def judge(model: type | None, df: pl.DataFrame) -> Verdict:
    contract = compile_contract(model, df.schema)
    assert contract.problems == ()
    return judge_by(contract, df)


def judge_by(contract: Contract, df: pl.DataFrame) -> Verdict:
    row = df.lazy().select(contract.aggregates()).collect().row(0, named=True)
    return contract.judge(row, contract.judge_residual(df))


def sentences(model: type, df: pl.DataFrame) -> list[str]:
    verdict = judge(model, df)
    return [str(result) for result in compile_contract(model, df.schema).samples(df, verdict.results)]
