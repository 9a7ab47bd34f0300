"""The pictures of the pages that are kept beside the text."""

import struct
from pathlib import Path

PICTURES = Path(__file__).parents[2] / "docs" / "ui"
MOST = 8
MOST_BYTES = 150_000


def test_there_are_a_few_small_pictures_of_whole_pages():
    found = sorted(PICTURES.glob("*.png"))

    assert 1 <= len(found) <= MOST
    for picture in found:
        content = picture.read_bytes()
        assert len(content) <= MOST_BYTES, picture.name
        assert struct.unpack(">II", content[16:24]) == (1440, 900), picture.name
