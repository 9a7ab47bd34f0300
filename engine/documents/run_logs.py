"""Lines of a run's log as people read them: what happened, and what its code printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

_TONES = {
    "partition_failed": "bad",
    "partition_retried": "stale",
    "partition_warned": "stale",
    "run_noted": "stale",
    "stderr": "stale",
    "cut": "stale",
    "WARNING": "stale",
    "ERROR": "bad",
    "CRITICAL": "bad",
}

_UNSAID: Final = frozenset({"at", "event", "number"})
"""Fields of events that their text leaves out; a `number` tells the calls of one run apart."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log."""

    at: str | None
    """An instant as ISO text; none: the line is damaged."""
    step: str
    """What printed it; empty for what happened to the run."""
    label: str
    """The name of what happened; for what was printed its level, or the stream."""
    text: str
    tone: str
    """`bad`, `stale` for what to look at, `quiet` for what goes as it should; empty for what was printed."""
    is_event: bool


def log_line(document: Mapping[str, Any]) -> LogLine:
    """Read a line as it is kept."""
    at = document.get("at")
    if "event" in document:
        name = str(document["event"])
        return LogLine(at, "", name.replace("_", " "), _told(document), _TONES.get(name, "quiet"), is_event=True)
    label = str(document.get("level") or document.get("stream", ""))
    step, text = str(document.get("step", "")), str(document.get("text", ""))
    return LogLine(at, step, label, text, _TONES.get(label, ""), is_event=False)


def _told(document: Mapping[str, Any]) -> str:
    """Return what an event says: what it is about first, then its figures by name."""
    facts = {name: value for name, value in document.items() if name not in _UNSAID and value is not None}
    about = ""
    for value in facts.values():
        if isinstance(value, str):  # a reason that begins with the partition that it is about does not say it twice
            about = f"{about} {value.removeprefix(f'{about}: ')}".lstrip()
    figures = (_figure(name, value) for name, value in facts.items() if not isinstance(value, str))
    return ", ".join(filter(None, (about, *figures)))


def _figure(name: str, value: object) -> str:
    """Return what is no text as people read it; a list is its items, and a flag its name if it is set."""
    words = name.removeprefix("is_").replace("_", " ")
    if isinstance(value, bool):
        return words if value else ""
    if isinstance(value, float):
        return f"{words.removesuffix(' s')} {value:.3g} s" if name.endswith("_s") else f"{words} {value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {each}" for key, each in cast("Mapping[str, object]", value).items())
    if isinstance(value, list):
        return "; ".join(map(str, cast("list[object]", value)))
    return f"{words} {value}"
