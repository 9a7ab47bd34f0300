"""Client: the REST API of a `deltaworks ui`, for programs; only the standard library is needed.

    client = Client("http://127.0.0.1:3000")
    plan = client.plan(["daily_carrier+"], only=["stale"])
    launched = client.backfill(["daily_carrier+"], only=["stale"], plan_hash=plan.plan_hash)
    for line in client.log(launched.run_id, follow=True):
        print(line)

What the server refuses is a `RequestError` with its reason, a plan that has changed meanwhile a `PlanChanged`.
"""

from __future__ import annotations

from deltaworks.client.client import Client
from deltaworks.client.values import (
    Asset,
    AutomationKind,
    Counts,
    Document,
    Job,
    KeyRange,
    Launched,
    Plan,
    Run,
    StatusRange,
    Step,
    Totals,
)

__all__ = [
    "Asset",
    "AutomationKind",
    "Client",
    "Counts",
    "Document",
    "Job",
    "KeyRange",
    "Launched",
    "Plan",
    "Run",
    "StatusRange",
    "Step",
    "Totals",
]
