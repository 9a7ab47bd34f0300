"""Frames are cast as pandera casts them."""

from datetime import date
from typing import Annotated

import pandera.polars as pa
import polars as pl
import pytest

from deltaworks.validation import conform


class Money(pa.DataFrameModel):
    amount: Annotated[pl.Decimal, 9, 2] = pa.Field(coerce=True)


@pytest.mark.parametrize(("value", "cast"), [(True, "1.00"), (date(1970, 1, 2), "1.00"), ("1.5", "1.50"), (2, "2.00")])
def test_what_is_cast_to_a_decimal_is_cast_as_pandera_casts_it(value, cast):
    df = pl.DataFrame({"amount": [value]})

    conformed = conform(Money, df.lazy()).collect()

    assert conformed.equals(Money.validate(df))
    assert str(conformed.item()) == cast
