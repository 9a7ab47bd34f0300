"""Make a PNG picture small: 256 colours are enough for a page, and take a third of the room.

It reads what Chromium writes: 8 bits a channel, no interlacing, without an alpha channel.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = 3
_MOST_COLOURS = 256
_ALIKE = 20
"""How far apart colours may be that nobody tells from each other, as the square of their distance."""


def with_few_colours(picture: bytes) -> bytes:
    """Return a picture with at most 256 of its colours; all others become the nearest of them."""
    chunks = list(_chunks(picture))
    width, height, depth, kind = struct.unpack(">IIBB", chunks[0][1][:10])
    assert (depth, kind) == (8, 2), "Chromium writes opaque pictures so"
    rows = list(_rows(zlib.decompress(b"".join(content for name, content in chunks if name == b"IDAT")), width))
    counts = Counter(pixel for row in rows for pixel in _pixels(row))
    palette = _palette(colour for colour, _ in counts.most_common())
    number = {colour: _nearest(palette, colour) for colour in counts}
    # Without filters: equal rows of flat areas are what compresses best here.
    packed = b"".join(b"\0" + bytes(number[pixel] for pixel in _pixels(row)) for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(packed, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in parts)


def _chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(picture):
        (length,) = struct.unpack(">I", picture[at : at + 4])
        yield picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _rows(packed: bytes, width: int) -> Iterator[bytes]:
    """Yield the rows without their filters (PNG specification, 9.2)."""
    stride = width * _CHANNELS
    above = bytes(stride)
    for start in range(0, len(packed), stride + 1):
        kind, row = packed[start], bytearray(packed[start + 1 : start + 1 + stride])
        for place in range(stride if kind else 0):
            left, corner = (row[place - 3], above[place - 3]) if place >= _CHANNELS else (0, 0)
            row[place] = (row[place] + _predicted(kind, left, above[place], corner)) & 255
        above = bytes(row)
        yield above


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    match kind:
        case 1:
            return left
        case 2:
            return up
        case 3:
            return (left + up) // 2
        case _:
            guess = left + up - corner
            return min((left, up, corner), key=lambda each: abs(guess - each))


def _pixels(row: bytes) -> Iterator[bytes]:
    return (row[place : place + _CHANNELS] for place in range(0, len(row), _CHANNELS))


def _palette(colours: Iterable[bytes]) -> list[bytes]:
    """Choose from colours, the most frequent first: one that is like another leaves room for one that is not."""
    chosen: list[bytes] = []
    for colour in colours:
        if len(chosen) < _MOST_COLOURS and all(_distance(each, colour) > _ALIKE for each in chosen):
            chosen.append(colour)
    return chosen


def _distance(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _nearest(palette: list[bytes], colour: bytes) -> int:
    return min(range(len(palette)), key=lambda place: _distance(palette[place], colour))
