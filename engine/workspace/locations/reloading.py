"""Reloading: have code locations loaded anew, here and by daemons, whether or not anything has changed."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable

from deltaworks.engine.workspace.locations.cache import forget
from deltaworks.engine.workspace.locations.spec import LocationSpec
from deltaworks.io.heartbeats import read_heartbeats
from deltaworks.io.process import Process
from deltaworks.io.store import Store


def forget_all(locations: Iterable[LocationSpec], only: str | None = None) -> None:
    """Forget what locations told of themselves; `only` names one of them."""
    for spec in locations:
        if only in (None, spec.name):
            forget(spec)


def tell_daemons(store: Store) -> None:
    """Ask the daemons that run on this machine to load their projects anew, too.

    Raises:
        StorageError: the lake cannot be read.
    """
    here = Process.current().host
    for beat in read_heartbeats(store):
        if beat.host == here and not beat.is_gone:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # it has just ended, or is somebody else's
                os.kill(beat.pid, signal.SIGHUP)
