"""Calling: which line of the author's code called something of ours."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import FrameType
from typing import Any

from deltaworks.errors import Place


def calling_frame() -> FrameType | None:
    """Return the innermost frame that is being run and is not deltaworks' own; none: there is none."""
    frame = inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == "deltaworks":
        frame = frame.f_back
    return frame


def calling_place() -> Place | None:
    """Return the line that the calling frame is at; none: there is none."""
    frame = calling_frame()
    return None if frame is None else Place(frame.f_code.co_filename, frame.f_lineno)


def calling_scope() -> Mapping[str, Any]:
    """Return the names that are known there, for annotations that are written as texts."""
    frame = calling_frame()
    return {} if frame is None else frame.f_locals
