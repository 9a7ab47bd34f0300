"""Launching: start commands as processes of their own, which go on when the server ends.

What the server starts is what a person would type: the same command, with the same options and the same refusals.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import IO, Any

from deltaworks.engine.workspace.project import Origin
from deltaworks.errors import RequestError

MOST_KEPT = 100
"""How many commands are remembered."""

MOST_ARGUMENT_BYTES = 100_000
"""Of one argument of a command; Linux allows 131,072."""

PATIENCE_S = 60
"""How long a command that is asked for an answer may take."""

_OPTIONS = {"folder": "project"}
"""What fields of an origin are called on the command line, where that is something else."""

_SHOWN_BYTES = 4000


@dataclass(frozen=True, slots=True)
class Launched:
    """A command that was started."""

    run_id: str
    command: str
    """As a person would type it, without where the project is."""
    exit_code: int | None
    """None: it goes on."""
    told: str
    """The end of what it has written to stderr."""

    @property
    def refusal(self) -> str | None:
        """Why it did not even begin; none: it has begun, or may still."""
        if self.exit_code in (None, 0):
            return None
        lines = [line.removeprefix("error: ") for line in self.told.splitlines() if line.startswith("error: ")]
        return lines[-1] if lines else f"it ended with exit code {self.exit_code}"


class Launcher:
    """Starts commands, and remembers how they ended."""

    def __init__(self, origin: Origin, environ: Mapping[str, str]) -> None:
        self._where = [
            f"--{_OPTIONS.get(each.name, each.name)}={value}"
            for each in fields(origin)
            if (value := getattr(origin, each.name)) is not None
        ]
        self._environ = dict(environ)
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Launched] = OrderedDict()

    def start(self, run_id: str, arguments: Sequence[str]) -> None:
        """Start a command of `deltaworks`.

        Args:
            run_id: the run that it is to be; the arguments say so too.
            arguments: the command and its options, then `--` and what it is about.

        Raises:
            RequestError: no command line can hold the arguments.
            OSError: the machine has no room for another process.
        """
        program = self._program(arguments)
        told = tempfile.TemporaryFile()  # noqa: SIM115 - no pipe: it is written to when nobody is there any more
        process = subprocess.Popen(  # noqa: S603 - this very interpreter; a command of ours, each argument by itself
            program,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=told,
            start_new_session=True,  # it outlives the server
        )
        launched = Launched(run_id, shlex.join(["deltaworks", *arguments]), None, "")
        with self._lock:
            self._known[run_id] = launched
            while len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)
        threading.Thread(target=self._await, args=(launched, process, told), daemon=True).start()

    def answer(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Carry out a command that changes nothing, and return its document.

        What authors wrote runs there and not in the server: it may take its time, change its process, or end it.

        Raises:
            RequestError: the command was refused, or has no answer yet after a minute.
        """
        typed = shlex.join(["deltaworks", *arguments])
        with subprocess.Popen(  # noqa: S603 - as in start
            self._program(arguments, "--json"),
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that what it starts ends with it
        ) as process:
            try:
                answer, said = process.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired as error:
                os.killpg(process.pid, signal.SIGKILL)
                raise RequestError(f"`{typed}` has no answer after {PATIENCE_S} s; try it in a terminal.") from error
        try:
            document: dict[str, Any] = json.loads(answer)
        except ValueError as error:
            told = said.decode(errors="replace")[-_SHOWN_BYTES:].strip()
            raise RequestError(f"`{typed}` ended with exit code {process.returncode}: {told}") from error
        if "error" in document:
            raise RequestError(document["error"])
        return document

    def find(self, run_id: str) -> Launched | None:
        """Return what became of the command of a run; none: this server has not started it, or forgot it."""
        return self._known.get(run_id)

    def _program(self, arguments: Sequence[str], *options: str) -> list[str]:
        """Return what carries out a command on the server's project.

        Raises:
            RequestError: no command line can hold the arguments.
        """
        unfit = next((each for each in arguments if not _fits(each)), None)
        if unfit is not None:
            raise RequestError(
                f"No command line can hold {unfit[:40]!r}...: an argument may have {MOST_ARGUMENT_BYTES:,} bytes, and "
                "only characters."
            )
        place = arguments.index("--") if "--" in arguments else len(arguments)
        before, after = arguments[:place], arguments[place:]
        return [sys.executable, "-P", "-m", "deltaworks", *before, *self._where, *options, *after]

    def _await(self, launched: Launched, process: subprocess.Popen[bytes], told: IO[bytes]) -> None:
        """Remember how a command ended, and what it said last."""
        with told:
            code = process.wait()
            told.seek(max(0, told.seek(0, os.SEEK_END) - _SHOWN_BYTES))
            said = told.read().decode(errors="replace")
        with self._lock:
            if self._known.get(launched.run_id) is launched:  # and not a later command of the same run
                self._known[launched.run_id] = replace(launched, exit_code=code, told=said)


def _fits(argument: str) -> bool:
    """Return whether a process can be given an argument."""
    try:
        return "\0" not in argument and len(os.fsencode(argument)) <= MOST_ARGUMENT_BYTES
    except UnicodeEncodeError:
        return False
