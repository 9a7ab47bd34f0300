"""Endings: how steps and runs ended, in the words of those who plan them, of hooks, and of the ledger."""

from __future__ import annotations

from deltaworks.engine.definitions.ops.hooks import Ending
from deltaworks.engine.planning.step_agenda import Fate
from deltaworks.io.run_entry import RunStatus

ENDING_OF_STEP = {
    Fate.SUCCESS: Ending.SUCCESS,
    Fate.FAILED: Ending.FAILURE,
    Fate.SKIPPED: Ending.SKIP,
    Fate.BLOCKED: Ending.SKIP,
    Fate.CANCELED: Ending.CANCEL,
}

STATUS_OF_RUN = {
    Ending.SUCCESS: RunStatus.SUCCESS,
    Ending.FAILURE: RunStatus.FAILURE,
    Ending.CANCEL: RunStatus.CANCELED,
}
"""Runs are not skipped."""

ENDING_OF_RUN = {status: ending for ending, status in STATUS_OF_RUN.items()}
