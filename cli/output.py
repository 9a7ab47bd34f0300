"""Output: what a command shows, on one of three faces: a terminal, plain text, or JSON.

A command makes a `View` and never prints. Progress and errors go to stderr, so that stdout is the answer alone.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO


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
        print(text, file=stream, flush=True)
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
        from rich.table import Table as RichTable
        from rich.text import Text

        console = Console(file=self._stdout, highlight=False)

        def text(cell: str | Cell) -> Text:
            return Text(cell) if isinstance(cell, str) else Text(cell.text, style=TONES.get(cell.tone, ""))

        for block in view.blocks:
            if not isinstance(block, Table):
                console.print(text(block), soft_wrap=True)
                continue
            table = RichTable(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
            for heading in block.headings:
                is_number = heading.endswith("#")
                table.add_column(
                    heading.rstrip("#"), justify="right" if is_number else "left", no_wrap=is_number, overflow="fold"
                )
            for row in block.rows:
                table.add_row(*map(text, row))
            console.print(table)

    def error(self, message: str) -> None:
        """Print one line on stderr, in red."""
        from rich.console import Console
        from rich.text import Text

        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(Text("error: ", style="bold red") + Text(message))


def _plain(block: Table | Cell | str) -> str:
    if not isinstance(block, Table):
        return _text(block)
    headings = [heading.rstrip("#") for heading in block.headings]
    rows = [headings, *([_text(cell) for cell in row] for row in block.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(headings))]
    numbers = [heading.endswith("#") for heading in block.headings]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, numbers, strict=True)
        )
        return "  ".join(cells).rstrip()

    return "\n".join(map(line, rows))


def _text(cell: str | Cell) -> str:
    return cell if isinstance(cell, str) else cell.text
