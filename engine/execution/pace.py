"""Pace: how fast the calls of one asset give partitions, and which of them goes on."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Pace:
    """Of one asset in one run. The coordinator adds to it; another thread may look at it meanwhile."""

    calls: int = 0
    """How many calls have staged partitions."""
    calls_s: float = 0.0
    """How long these took together."""
    _began_s: float | None = None
    """When the first call began, by a clock that never goes back."""
    _ended_s: float = 0.0
    """When one last staged any."""
    _staged: int = 0
    _going_on: dict[int, str] = field(default_factory=dict[int, str])
    """By their numbers."""

    def begin(self, number: int, where: str, now_s: float) -> None:
        """Note that a call begins."""
        if self._began_s is None:
            self._began_s = now_s
        self._going_on[number] = where

    def end(self, number: int, staged: int = 0, took_s: float = 0.0, now_s: float = 0.0) -> None:
        """Note that a call is over, or taken back, and how many partitions it has staged."""
        self._going_on.pop(number, None)
        if staged:
            self._staged, self._ended_s = self._staged + staged, now_s
            self.calls, self.calls_s = self.calls + 1, self.calls_s + took_s

    @property
    def rate(self) -> float | None:
        """How many partitions a second came since the first call began; none: none came yet."""
        if self._began_s is None or self._ended_s <= self._began_s:
            return None
        return self._staged / (self._ended_s - self._began_s)

    @property
    def is_busy(self) -> bool:
        """Whether any call goes on."""
        return bool(self._going_on)

    @property
    def current(self) -> str | None:
        """The oldest call that goes on."""
        return next(iter(tuple(self._going_on.values())), None)  # a dict that changes cannot be looked through
