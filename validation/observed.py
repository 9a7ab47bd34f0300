"""Observed: the rows that are kept of data that is no table, as pandera models, which their readers are checked by."""

from __future__ import annotations

from typing import Annotated

import pandera.polars as pa
import polars as pl


class ObservedPartition(pa.DataFrameModel):
    """A partition and which version of it there is."""

    partition: str
    version: str
    observed_at: Annotated[pl.Datetime, "us", "UTC"]


class ObservedWhole(ObservedPartition):
    """The same of data without partitions."""

    partition: str = pa.Field(nullable=True)


class ObservedFile(pa.DataFrameModel):
    """A file of a partition and which version of it there is."""

    partition: str
    path: str
    version: str
    observed_at: Annotated[pl.Datetime, "us", "UTC"]


class ObservedWholeFile(ObservedFile):
    """The same of data without partitions."""

    partition: str = pa.Field(nullable=True)


def observed_model(*, has_partitions: bool, has_files: bool) -> type:
    """Return the model of the rows of a source's table."""
    if has_files:
        return ObservedFile if has_partitions else ObservedWholeFile
    return ObservedPartition if has_partitions else ObservedWhole
