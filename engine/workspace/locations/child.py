"""Child: what the process of a code location does: it imports the location's code, and answers what the host asks.

It says first what it is, so that a host that does not understand it can tell so. Each question is answered in a thread
of its own; what it takes, the answers, and what happens meanwhile go over the wire as JSON.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any, TypeAlias

from deltaworks.engine.execution.workers.child import die_with_parent
from deltaworks.engine.workspace.locations.inside import Inside
from deltaworks.engine.workspace.locations.values import from_json, to_json
from deltaworks.engine.workspace.locations.wire import ChildWire
from deltaworks.errors import DefinitionError, DeltaworksError
from deltaworks.io.dtypes import Json

Tell: TypeAlias = Callable[[Any], None]
"""Tells the host what happens while a question is answered."""
Answer: TypeAlias = Callable[[Inside, Mapping[str, Any], Tell], Any]

_HERE = "deltaworks.engine.workspace.locations"
_ANSWERS = {
    "describe": f"{_HERE}.loading:describe_location",
    "map": f"{_HERE}.loading:map_key",
    "run": f"{_HERE}.parts:carry_out",
    "check": f"{_HERE}.proving:prove_own",
    "trace": f"{_HERE}.proving:trace_own",
    "hooks": f"{_HERE}.parts:call_job_hooks",
    "observe": f"{_HERE}.parts:observe_own",
}
"""Where what is asked is answered, which other questions say themselves; it is imported when it is asked first."""


def main(wire: ChildWire) -> None:
    """Answer until the host has gone."""
    die_with_parent()
    inside = Inside()
    asked: SimpleQueue[Json] = SimpleQueue()
    threading.Thread(target=_receive, args=(wire, inside, asked), name="deltaworks-wire", daemon=True).start()
    while True:
        said = asked.get()
        if said["ask"] == "describe":
            _answer(inside, said, wire)  # modules are imported by the main thread, as they expect
        else:
            name = f"deltaworks-{said['ask']}"
            threading.Thread(target=_answer, args=(inside, said, wire), name=name, daemon=True).start()


def _receive(wire: ChildWire, inside: Inside, asked: SimpleQueue[Json]) -> None:
    """Take in what the host says; once it is gone, end this process and all that user code has started."""
    for said in wire.said():
        if said["ask"] == "stop":
            inside.stop(said["urgent"], said["reason"])
        else:
            asked.put(said)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _answer(inside: Inside, said: Json, wire: ChildWire) -> None:
    number, own = said["number"], os.getpid()
    asked: str = said["ask"]

    def tell(event: Any) -> None:
        wire.tell({"number": number, "event": to_json(event)})

    try:
        module, _, function = _ANSWERS.get(asked, asked).partition(":")
        answer: Answer = getattr(importlib.import_module(module), function)
        told: Json = {"number": number, "answer": to_json(answer(inside, from_json(said["told"]), tell))}
    except DeltaworksError as error:
        told = {"number": number, "error": _error_json(error)}
    except BaseException as error:  # noqa: BLE001 - user code may raise anything
        told = {"number": number, "error": {"message": _said(error), "is_bad": True}}
    if os.getpid() != own:
        os._exit(0)  # user code has forked, and this copy came back from it: only the other one may say so
    sys.stdout.flush()
    wire.tell(told)


def _error_json(error: DeltaworksError) -> Json:
    if isinstance(error, DefinitionError):
        return {"message": error.reason, "where": to_json(error.where), "asset": error.asset, "is_bad": True}
    return {"message": str(error), "is_bad": error.exit_code != 1}


def _said(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - user code
        text = "its text cannot be read"
    return f"{type(error).__name__}: {text}"
