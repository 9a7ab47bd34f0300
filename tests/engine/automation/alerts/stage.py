"""A lake, alerts and a clock."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from deltaworks.engine.automation.alerts.alerting import Alerting, Telling
from deltaworks.engine.definitions.automation.freshness_change import FreshnessChange
from deltaworks.engine.workspace.alert_settings import AlertSettings
from deltaworks.io.alerts import Outcome, deliveries
from deltaworks.io.asset_outcome import AssetOutcome
from deltaworks.io.ledger import write_run
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus
from deltaworks.io.store import Store
from tests.engine.automation.alerts.servers import Received

SECOND = dt.timedelta(seconds=1)


class Stage:
    """A lake, whom it tells, and a clock."""

    def __init__(self, folder: Path, *alerts: AlertSettings, **environ: str) -> None:
        self.store, self.problems = Store(folder / "lake", durable=False), list[str]()
        self.now = dt.datetime.now(dt.UTC)
        self.telling = Telling(alerts, self.store, environ)
        self.alerting = self.another()
        self.look()

    def another(self) -> Alerting:
        return Alerting(self.telling, self.problems.append, lambda: self.now)

    def look(self, *late: FreshnessChange, after: dt.timedelta = SECOND) -> None:
        self.now += after
        self.alerting.look(self.now, late)

    def end_run(self, run_id: str, status: RunStatus, *failed: str, **more: Any) -> None:
        failures = tuple(Failure(each, "2024-01-01", "RuntimeError: the disk is on fire", 3) for each in failed)
        at = self.now.isoformat()
        more.setdefault("steps", tuple(AssetOutcome(each, 1, failed=1) for each in failed))
        entry = RunEntry(run_id, status, "backfill", at, at, failed=len(failed), failures=failures, **more)
        write_run(self.store, entry)

    def outcomes(self) -> list[Outcome]:
        return [each.outcome for each in deliveries(self.store)]


def hooked(hook: Received, **more: Any) -> AlertSettings:
    return AlertSettings.model_validate({"name": "oncall", "kind": "webhook", "url": hook.address} | more)
