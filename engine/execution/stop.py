"""Stop: what a run is asked about its end, by Ctrl-C, by a signal, or by somebody in another process."""

from __future__ import annotations

import time
from threading import Event as Flag

from deltaworks.io.stop_request import StopKind, StopRequest

GRACE_S = 2.0
"""How long calls that run have to end when a run is canceled, and processes when they are asked to; what calls stage by
then is committed."""


class Stop:
    """May be asked from any thread and from signal handlers; the coordinator looks at it."""

    def __init__(self, finish: Flag | None = None) -> None:
        self._finish, self._cancel = finish or Flag(), Flag()
        self._left_at_s: float | None = None
        self.reason: str | None = None
        """What asked first, if that is known."""

    def finish(self, reason: str | None = None) -> None:
        """Ask the run to finish and commit what has begun, and to begin nothing more."""
        self.reason = self.reason or reason
        self._finish.set()

    def cancel(self, reason: str | None = None) -> None:
        """Ask the run to end within seconds."""
        self.reason = self.reason or reason
        self._cancel.set()
        self._finish.set()

    def obey(self, request: StopRequest) -> None:
        """Ask what somebody has asked by an object in the lake."""
        if request.kind is StopKind.CANCEL:
            self.cancel(str(request))
        else:
            self.finish(str(request))

    @property
    def is_asked(self) -> bool:
        """Whether nothing more is to be begun."""
        return self._finish.is_set()

    @property
    def is_urgent(self) -> bool:
        """Whether the run is canceled."""
        return self._cancel.is_set()

    def leaves(self, now_s: float | None = None) -> bool:
        """Return whether the run goes without what still runs: it is canceled, and the time to end is over.

        The time begins when this is first asked of a canceled run.
        """
        if not self.is_urgent:
            return False
        now_s = time.monotonic() if now_s is None else now_s
        self._left_at_s = now_s + GRACE_S if self._left_at_s is None else self._left_at_s
        return now_s >= self._left_at_s
