"""Output: what a command shows, on one of three faces: a terminal, plain text, or JSON.

A command makes a `View` and never prints. Progress and errors go to stderr, so that stdout is the answer alone.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from deltaworks.cli.layout import GAP, fit, visible, wrapped

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text as RichText


@dataclass(frozen=True, slots=True)
class Cell:
    """A text with the tone that a terminal gives it."""

    text: str
    tone: str = ""
    """A style name of `TONES`; empty: plain."""


TONES = {
    "good": "green",
    "bad": "red",
    "stale": "yellow",
    "outside": "magenta",
    "quiet": "dim",
    "strong": "bold",
}
"""What a terminal makes of a tone; the same everywhere, so that a colour always means the same."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings. Columns whose heading ends in `#` are numbers and stand to the right."""

    headings: tuple[str, ...]
    rows: Sequence[Sequence[str | Cell]]


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a command has to say."""

    json: Any
    """The same as one JSON document."""
    blocks: tuple[Table | Cell | str, ...] = field(default=())
    """For people, top to bottom."""


class Output(Protocol):
    """A face."""

    is_terminal: bool
    """Whether progress may be drawn in place."""
    width: int
    """How many characters a line may have."""

    def show(self, view: View) -> None:
        """Show the answer."""
        ...

    def error(self, message: str) -> None:
        """Say what went wrong."""
        ...


def write(stream: TextIO, text: str) -> None:
    """Write a line; if its reader has gone, as `| head` does, nobody is told and what goes on goes on."""
    try:
        print(visible(text), file=stream, flush=True)
    except BrokenPipeError:
        # Whatever is still written there, at exit too, is lost in silence.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def output(*, as_json: bool) -> Output:
    """Return the face that fits where stdout goes."""
    if as_json:
        return JsonFace(sys.stdout)
    return TerminalFace(sys.stdout) if sys.stdout.isatty() else PlainFace(sys.stdout)


class JsonFace:
    """One JSON document on stdout."""

    is_terminal = False
    width = 200

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout

    def show(self, view: View) -> None:
        """Print the document."""
        write(self._stdout, json.dumps(view.json, indent=2, default=str))

    def error(self, message: str) -> None:
        """Print the error as the document, and for people on stderr."""
        write(self._stdout, json.dumps({"error": message}))
        write(sys.stderr, f"error: {message}")


class PlainFace:
    """Aligned columns without colour, for pipes and files."""

    is_terminal = False
    width = 200

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout

    def shares(self, stream: TextIO) -> bool:
        """Return whether what is shown and what goes to a stream come together in one place, as after `2>&1`."""
        try:
            return os.path.sameopenfile(self._stdout.fileno(), stream.fileno())
        except (OSError, ValueError):
            return False  # one of them is closed or no file

    def show(self, view: View) -> None:
        """Print the blocks."""
        for block in view.blocks:
            write(self._stdout, _plain(block))

    def error(self, message: str) -> None:
        """Print one line on stderr."""
        write(sys.stderr, f"error: {message}")


class TerminalFace:
    """Colours and tables that fit the window."""

    is_terminal = True

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout
        self.width = shutil.get_terminal_size().columns

    def show(self, view: View) -> None:
        """Draw the blocks."""
        # Imported here: rich is needed only where there is a terminal.
        from rich.console import Console

        console = Console(file=self._stdout, highlight=False)
        for block in view.blocks:
            for line in _lines(block, console, self.width):
                console.print(line, soft_wrap=True)

    def error(self, message: str) -> None:
        """Print one line on stderr, in red."""
        from rich.console import Console
        from rich.text import Text

        console = Console(stderr=True, highlight=False, soft_wrap=True)
        told = f"error: {visible(message)}"
        lines = wrapped(told, self.width) if sys.stderr.isatty() else [told]
        first, *more = (Text(line) for line in lines)
        first.stylize("bold red", 0, len("error: "))
        for line in (first, *more):
            console.print(line)


def _toned(cell: str | Cell) -> RichText:
    from rich.text import Text

    return Text(_text(cell), style="" if isinstance(cell, str) else TONES.get(cell.tone, ""))


def _lines(block: Table | Cell | str, console: Console, width: int) -> Iterator[RichText]:
    """Yield the lines of a block; what is no table and no sentence, such as code, stays as it is."""
    match block:
        case Table():
            yield from _drawn(block, console, width)
        case Cell():
            yield from (_toned(Cell(line, block.tone)) for line in wrapped(visible(block.text), width))
        case str():
            yield _toned(block)


def _drawn(table: Table, console: Console, width: int) -> Iterator[RichText]:
    """Yield the lines of a table that fit a window."""
    from rich.cells import cell_len
    from rich.text import Text

    headings = [heading.rstrip("#") for heading in table.headings]
    texts = [headings, *([_text(cell) for cell in row] for row in table.rows)]
    columns = list(zip(*texts, strict=True))
    layout = fit(
        table.headings,
        [max(map(cell_len, column)) for column in columns],
        [
            max(cell_len(piece) for text in column for piece in text.split(" " if place == len(columns) - 1 else ", "))
            for place, column in enumerate(columns)
        ],
        [place for place, column in enumerate(columns) if len(column) > 1 and set(column[1:]) == {"0"}],
        width,
    )

    def beside(cells: Mapping[int, RichText]) -> Iterator[RichText]:
        wrapped = {place: cells[place].wrap(console, width) for place, width in layout.widths.items()}
        for number in range(max(map(len, wrapped.values()))):
            line = Text()
            for place, lines in wrapped.items():
                text = lines[number] if number < len(lines) else Text()
                text.rstrip()
                text.align("right" if table.headings[place].endswith("#") else "left", layout.widths[place])
                line += text + " " * GAP
            line.rstrip()
            yield line

    yield from beside({place: Text(heading, "bold") for place, heading in enumerate(headings)})
    for row in table.rows:
        cells = dict(enumerate(map(_toned, row)))
        yield from beside(cells)
        for told in _told_below(cells, table.headings, layout.below):
            longest = max(cell_len(word) for word in told.plain.split())
            for line in told.wrap(console, max(longest, width - 2 * GAP)):
                line.rstrip()
                yield Text(" " * 2 * GAP) + line


def _told_below(cells: Mapping[int, RichText], headings: Sequence[str], places: Sequence[int]) -> Iterator[RichText]:
    """Yield the cells that stand under their row: numbers together, each text by itself."""
    from rich.text import Text

    numbers = [place for place in places if headings[place].endswith("#")]
    if numbers:
        named = (Text(f"{headings[place].rstrip('#')} ".lstrip(), "dim") + cells[place] for place in numbers)
        yield Text(", ").join(named)
    for place in places:
        if place not in numbers and cells[place].plain not in ("", "-"):
            yield Text(f"{headings[place]}: ", "dim") + cells[place]


def _plain(block: Table | Cell | str) -> str:
    return "\n".join(aligned(block)) if isinstance(block, Table) else _text(block)


def aligned(table: Table) -> list[str]:
    """Return the lines of a table, the headings first, however wide they become."""
    headings = [heading.rstrip("#") for heading in table.headings]
    rows = [headings, *([_text(cell) for cell in row] for row in table.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(headings))]
    numbers = [heading.endswith("#") for heading in table.headings]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, numbers, strict=True)
        )
        return "  ".join(cells).rstrip()

    return [line(row) for row in rows]


def _text(cell: str | Cell) -> str:
    return visible(cell if isinstance(cell, str) else cell.text)
