"""What a tick of Dagster's automation conditions costs: prints figures by tick as JSON.

A thousand daily assets of ten years in five layers, each below one or two of the layer above and with
`AutomationCondition.eager()`; asked through `evaluate_automation_conditions` on an instance in memory, which is
Dagster's own entry for tests, without its daemon's processes and database. `dagster_tick.py ASSETS`.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time

import dagster as dg

ASSETS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
LAYERS, UPDATES = 5, 10
DAYS = dg.DailyPartitionsDefinition(start_date="2015-01-01", end_date="2025-01-01")


def table(number: int) -> dg.AssetsDefinition:
    """Return an asset that does nothing."""
    width = ASSETS // LAYERS
    above = number // width * width - width
    deps = sorted({f"t{above + number % width}", f"t{above + (number + 1) % width}"}) if above >= 0 else []

    @dg.asset(name=f"t{number}", deps=deps, partitions_def=DAYS, automation_condition=dg.AutomationCondition.eager())
    def nothing() -> None:
        return None

    return nothing


def main() -> None:
    """Tick, and print the figures."""
    logging.disable(logging.CRITICAL)
    defs = dg.Definitions(assets=[table(number) for number in range(ASSETS)])
    defs.get_repository_def()
    instance, cursor, found = dg.DagsterInstance.ephemeral(), None, dict[str, float]()

    def tick(what: str) -> None:
        nonlocal cursor
        began = time.process_time()
        cursor = dg.evaluate_automation_conditions(defs, instance, cursor=cursor).cursor
        found[what] = round(time.process_time() - began, 3)

    tick("first")
    tick("idle")
    for number in range(UPDATES):
        event = dg.AssetMaterialization(f"t{number}", partition="2024-12-31")
        instance.report_runless_asset_event(event)
    tick(f"{UPDATES} tables updated")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"ticks": found, "peak_mib": round(peak_mib)}))


if __name__ == "__main__":
    main()
