"""An index file gives back what was put into it, or nothing."""

import polars as pl
import pytest

from deltaworks.io.index_file import from_bytes, to_bytes
from deltaworks.io.log import digest

FRAME = pl.DataFrame({"key": ["a", None, "a key of more than twelve bytes"], "rows": [1, 2, None]})
FACTS = {"format": 3, "name": "line\nend", "nested": {"of": [1, None]}}


@pytest.mark.parametrize("df", [FRAME, FRAME.clear()])
def test_what_was_written_is_read(df):
    found = from_bytes(to_bytes(df, FACTS), 3)

    assert found is not None
    assert found[0].equals(df)
    assert found[0].schema == df.schema
    assert found[1] == FACTS


def test_a_file_of_another_format_is_none():
    assert from_bytes(to_bytes(FRAME, FACTS), 4) is None


def test_whichever_byte_is_damaged_the_file_is_none():
    content = to_bytes(FRAME, FACTS)

    flipped = [content[:at] + bytes([content[at] ^ 0x20]) + content[at + 1 :] for at in range(len(content))]
    cut = [content[:at] for at in range(len(content))]

    assert [from_bytes(each, 3) for each in (*flipped, *cut)] == [None] * len((*flipped, *cut))


def test_a_frame_that_this_polars_cannot_read_is_none():
    content = to_bytes(FRAME, FACTS)
    rest = content.split(b"\n", 2)[1] + b"\nwritten otherwise"

    assert from_bytes(digest(rest).hex().encode() + b"\n" + rest, 3) is None
