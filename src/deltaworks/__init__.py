"""Build tables from typed Polars functions: every table a Delta table, every materialization a commit.

Names are imported on first use, so that `import deltaworks` by itself costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deltaworks.engine.definitions import checks
    from deltaworks.engine.definitions.asset import Asset, asset
    from deltaworks.engine.definitions.asset_check import AssetCheck, asset_check
    from deltaworks.engine.definitions.check_result import CheckResult
    from deltaworks.engine.definitions.definitions import Definitions
    from deltaworks.engine.definitions.external import external_asset
    from deltaworks.engine.definitions.frames import Committed, DataFrame, LazyFrame, Previous
    from deltaworks.engine.definitions.keys import AssetKey
    from deltaworks.engine.definitions.logger import Logger
    from deltaworks.engine.definitions.mappings.declared import (
        AllPartitionsMapping,
        IdentityMapping,
        LastPartitionMapping,
        MultiMapping,
        SpecificPartitionsMapping,
        StaticMapping,
        TimeWindowMapping,
    )
    from deltaworks.engine.definitions.partitions.key_partitions import DynamicPartitions, StaticPartitions
    from deltaworks.engine.definitions.partitions.multi_partitions import MultiPartitions
    from deltaworks.engine.definitions.partitions.partition import Partition
    from deltaworks.engine.definitions.partitions.time_kinds import (
        CronPartitions,
        DailyPartitions,
        HourlyPartitions,
        MonthlyPartitions,
        WeeklyPartitions,
    )
    from deltaworks.engine.definitions.policies import BackfillPolicy, Backoff, RetryPolicy
    from deltaworks.engine.definitions.resources import EnvVar, Resource
    from deltaworks.engine.definitions.seed import seed
    from deltaworks.engine.definitions.signature import Input
    from deltaworks.engine.definitions.source import file_source, observable_source
    from deltaworks.engine.definitions.view import view
    from deltaworks.engine.execution.report import RunReport
    from deltaworks.engine.workspace.api import diff, materialize, read
    from deltaworks.io.difference import Difference

    __version__: str

__all__ = [
    "AllPartitionsMapping",
    "Asset",
    "AssetCheck",
    "AssetKey",
    "BackfillPolicy",
    "Backoff",
    "CheckResult",
    "Committed",
    "CronPartitions",
    "DailyPartitions",
    "DataFrame",
    "Definitions",
    "Difference",
    "DynamicPartitions",
    "EnvVar",
    "HourlyPartitions",
    "IdentityMapping",
    "Input",
    "LastPartitionMapping",
    "LazyFrame",
    "Logger",
    "MonthlyPartitions",
    "MultiMapping",
    "MultiPartitions",
    "Partition",
    "Previous",
    "Resource",
    "RetryPolicy",
    "RunReport",
    "SpecificPartitionsMapping",
    "StaticMapping",
    "StaticPartitions",
    "TimeWindowMapping",
    "WeeklyPartitions",
    "asset",
    "asset_check",
    "checks",
    "diff",
    "external_asset",
    "file_source",
    "materialize",
    "observable_source",
    "read",
    "seed",
    "view",
]

_NAMES = {
    "definitions.asset": ("Asset", "asset"),
    "definitions.asset_check": ("AssetCheck", "asset_check"),
    "definitions.check_result": ("CheckResult",),
    "definitions.definitions": ("Definitions",),
    "definitions.external": ("external_asset",),
    "definitions.frames": ("Committed", "DataFrame", "LazyFrame", "Previous"),
    "definitions.keys": ("AssetKey",),
    "definitions.logger": ("Logger",),
    "definitions.mappings.declared": (
        "AllPartitionsMapping",
        "IdentityMapping",
        "LastPartitionMapping",
        "MultiMapping",
        "SpecificPartitionsMapping",
        "StaticMapping",
        "TimeWindowMapping",
    ),
    "definitions.partitions.key_partitions": ("DynamicPartitions", "StaticPartitions"),
    "definitions.partitions.multi_partitions": ("MultiPartitions",),
    "definitions.partitions.partition": ("Partition",),
    "definitions.partitions.time_kinds": (
        "CronPartitions",
        "DailyPartitions",
        "HourlyPartitions",
        "MonthlyPartitions",
        "WeeklyPartitions",
    ),
    "definitions.policies": ("BackfillPolicy", "Backoff", "RetryPolicy"),
    "definitions.resources": ("EnvVar", "Resource"),
    "definitions.seed": ("seed",),
    "definitions.signature": ("Input",),
    "definitions.source": ("file_source", "observable_source"),
    "definitions.view": ("view",),
    "execution.report": ("RunReport",),
    "workspace.api": ("diff", "materialize", "read"),
}
_HOMES = {name: f"deltaworks.engine.{module}" for module, names in _NAMES.items() for name in names}
_HOMES["Difference"] = "deltaworks.io.difference"
_MODULES = {"checks": "deltaworks.engine.definitions.checks"}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # Imported here: it takes longer than all else that `import deltaworks` does.
        return importlib.import_module("importlib.metadata").version("deltaworks")
    if name in _MODULES:
        value = importlib.import_module(_MODULES[name])
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'deltaworks' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
