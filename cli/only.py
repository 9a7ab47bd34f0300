"""The `--only` option of `plan` and `backfill`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from deltaworks.engine.planning.plan import Only

OnlyOption = Annotated[
    str | None,
    typer.Option("--only", metavar="WHAT", help="missing,stale,failed,external or all; default missing,stale,failed."),
]


def read_only(text: str | None) -> frozenset[Only]:
    """Read the option.

    Raises:
        RequestError: a word of it means nothing.
    """
    # Imported here: --help must not load Polars.
    from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only

    if text is None:
        return DEFAULT_ONLY
    words = [word.strip() for word in text.split(",")]
    unknown = [word for word in words if word not in {only.value for only in Only}]
    if unknown:
        raise RequestError(f"--only {unknown[0]!r} means nothing; use {', '.join(only.value for only in Only)}.")
    return frozenset(map(Only, words))
