"""Lines of a run's log as people read them: what happened, and what its code printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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
        text = " ".join(_facts(document))
        return LogLine(at, "", name.replace("_", " "), text, _TONES.get(name, "quiet"), is_event=True)
    label = str(document.get("level") or document.get("stream", ""))
    step, text = str(document.get("step", "")), str(document.get("text", ""))
    return LogLine(at, step, label, text, _TONES.get(label, ""), is_event=False)


def _facts(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what happened, as words: a reason that begins with the partition that it is about does not say it twice."""
    said = ""
    for name, value in document.items():
        if name in ("at", "event") or value is None or value is False:
            continue
        match value:
            case str():
                fact = value.removeprefix(f"{said}: ")
            case True:
                fact = name
            case {}:
                counts: Mapping[str, Any] = value
                fact = f"{name}: {', '.join(f'{each} {count}' for each, count in counts.items())}"
            case float():
                fact = f"{name}={value:.3g}"
            case _:
                fact = f"{name}={value}"
        said = f"{said} {fact}".lstrip()
        yield fact
