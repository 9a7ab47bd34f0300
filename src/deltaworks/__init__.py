"""Build tables from typed Polars functions: every table a Delta table, every materialization a commit.

Names are imported on first use, so that `import deltaworks` by itself costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deltaworks import client as client
    from deltaworks import resources as resources
    from deltaworks import testing as testing
    from deltaworks.engine.definitions import checks
    from deltaworks.engine.definitions.asset import Asset, asset
    from deltaworks.engine.definitions.asset_check import AssetCheck, asset_check
    from deltaworks.engine.definitions.automation.arrivals import Arrival, Arrivals
    from deltaworks.engine.definitions.automation.commits import CommitEvent, Commits, Operation, WrittenBy
    from deltaworks.engine.definitions.automation.condition import AutomationCondition
    from deltaworks.engine.definitions.automation.freshness_change import FreshnessChange
    from deltaworks.engine.definitions.automation.run import Run
    from deltaworks.engine.definitions.automation.run_request import RunRequest, SkipReason
    from deltaworks.engine.definitions.automation.schedule import CatchUp, Schedule, define_schedule, schedule
    from deltaworks.engine.definitions.automation.sensor import Sensor
    from deltaworks.engine.definitions.automation.sensor_result import SensorResult
    from deltaworks.engine.definitions.automation.sensors import (
        asset_sensor,
        file_sensor,
        freshness_sensor,
        multi_asset_sensor,
        run_failure_sensor,
        run_status_sensor,
        sensor,
    )
    from deltaworks.engine.definitions.automation.tick import Tick
    from deltaworks.engine.definitions.check_result import CheckResult
    from deltaworks.engine.definitions.definitions import Definitions
    from deltaworks.engine.definitions.external import external_asset
    from deltaworks.engine.definitions.frames import Committed, DataFrame, LazyFrame, Previous
    from deltaworks.engine.definitions.freshness import FreshnessPolicy
    from deltaworks.engine.definitions.graph_asset import graph_asset
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
    from deltaworks.engine.definitions.materialize_result import MaterializeResult
    from deltaworks.engine.definitions.multi_asset import AssetSpec, MultiAsset, multi_asset
    from deltaworks.engine.definitions.ops.asset_job import AssetJob, define_asset_job
    from deltaworks.engine.definitions.ops.attempt import Attempt
    from deltaworks.engine.definitions.ops.config import Config
    from deltaworks.engine.definitions.ops.graph import Graph, graph, job
    from deltaworks.engine.definitions.ops.hooks import (
        Ending,
        RunEnded,
        StepEnded,
        cancel_hook,
        failure_hook,
        skip_hook,
        success_hook,
    )
    from deltaworks.engine.definitions.ops.job import Job
    from deltaworks.engine.definitions.ops.job_result import JobResult
    from deltaworks.engine.definitions.ops.op import Op, RunWhen, op
    from deltaworks.engine.definitions.ops.ports import DynamicOut, DynamicOutput, In, Nothing, Out, Output
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
    from deltaworks.engine.definitions.repository import repository
    from deltaworks.engine.definitions.resources import EnvVar, Resource
    from deltaworks.engine.definitions.seed import seed
    from deltaworks.engine.definitions.shared_call import Wanted
    from deltaworks.engine.definitions.signature import Input
    from deltaworks.engine.definitions.source import file_source, observable_source
    from deltaworks.engine.definitions.staged_files import StagedFiles, Staging
    from deltaworks.engine.definitions.view import view
    from deltaworks.engine.execution.report import RunReport
    from deltaworks.engine.workspace.api import diff, materialize, read
    from deltaworks.io.difference import Difference
    from deltaworks.io.run_entry import RunStatus

    __version__: str

__all__ = [
    "AllPartitionsMapping",
    "Arrival",
    "Arrivals",
    "Asset",
    "AssetCheck",
    "AssetJob",
    "AssetKey",
    "AssetSpec",
    "Attempt",
    "AutomationCondition",
    "BackfillPolicy",
    "Backoff",
    "CatchUp",
    "CheckResult",
    "CommitEvent",
    "Commits",
    "Committed",
    "Config",
    "CronPartitions",
    "DailyPartitions",
    "DataFrame",
    "Definitions",
    "Difference",
    "DynamicOut",
    "DynamicOutput",
    "DynamicPartitions",
    "Ending",
    "EnvVar",
    "FreshnessChange",
    "FreshnessPolicy",
    "Graph",
    "HourlyPartitions",
    "IdentityMapping",
    "In",
    "Input",
    "Job",
    "JobResult",
    "LastPartitionMapping",
    "LazyFrame",
    "Logger",
    "MaterializeResult",
    "MonthlyPartitions",
    "MultiAsset",
    "MultiMapping",
    "MultiPartitions",
    "Nothing",
    "Op",
    "Operation",
    "Out",
    "Output",
    "Partition",
    "Previous",
    "Resource",
    "RetryPolicy",
    "Run",
    "RunEnded",
    "RunReport",
    "RunRequest",
    "RunStatus",
    "RunWhen",
    "Schedule",
    "Sensor",
    "SensorResult",
    "SkipReason",
    "SpecificPartitionsMapping",
    "StagedFiles",
    "Staging",
    "StaticMapping",
    "StaticPartitions",
    "StepEnded",
    "Tick",
    "TimeWindowMapping",
    "Wanted",
    "WeeklyPartitions",
    "WrittenBy",
    "asset",
    "asset_check",
    "asset_sensor",
    "cancel_hook",
    "checks",
    "client",
    "define_asset_job",
    "define_schedule",
    "diff",
    "external_asset",
    "failure_hook",
    "file_sensor",
    "file_source",
    "freshness_sensor",
    "graph",
    "graph_asset",
    "job",
    "materialize",
    "multi_asset",
    "multi_asset_sensor",
    "observable_source",
    "op",
    "read",
    "repository",
    "resources",
    "run_failure_sensor",
    "run_status_sensor",
    "schedule",
    "seed",
    "sensor",
    "skip_hook",
    "success_hook",
    "testing",
    "view",
]

_NAMES = {
    "definitions.asset": ("Asset", "asset"),
    "definitions.asset_check": ("AssetCheck", "asset_check"),
    "definitions.automation.arrivals": ("Arrival", "Arrivals"),
    "definitions.automation.commits": ("CommitEvent", "Commits", "Operation", "WrittenBy"),
    "definitions.automation.freshness_change": ("FreshnessChange",),
    "definitions.automation.run": ("Run",),
    "definitions.automation.condition": ("AutomationCondition",),
    "definitions.automation.run_request": ("RunRequest", "SkipReason"),
    "definitions.automation.schedule": ("CatchUp", "Schedule", "define_schedule", "schedule"),
    "definitions.automation.sensor": ("Sensor",),
    "definitions.automation.sensor_result": ("SensorResult",),
    "definitions.automation.sensors": (
        "asset_sensor",
        "file_sensor",
        "freshness_sensor",
        "multi_asset_sensor",
        "run_failure_sensor",
        "run_status_sensor",
        "sensor",
    ),
    "definitions.automation.tick": ("Tick",),
    "definitions.check_result": ("CheckResult",),
    "definitions.definitions": ("Definitions",),
    "definitions.external": ("external_asset",),
    "definitions.frames": ("Committed", "DataFrame", "LazyFrame", "Previous"),
    "definitions.freshness": ("FreshnessPolicy",),
    "definitions.graph_asset": ("graph_asset",),
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
    "definitions.materialize_result": ("MaterializeResult",),
    "definitions.staged_files": ("StagedFiles", "Staging"),
    "definitions.multi_asset": ("AssetSpec", "MultiAsset", "multi_asset"),
    "definitions.ops.asset_job": ("AssetJob", "define_asset_job"),
    "definitions.ops.attempt": ("Attempt",),
    "definitions.ops.config": ("Config",),
    "definitions.ops.graph": ("Graph", "graph", "job"),
    "definitions.ops.hooks": (
        "Ending",
        "RunEnded",
        "StepEnded",
        "cancel_hook",
        "failure_hook",
        "skip_hook",
        "success_hook",
    ),
    "definitions.ops.job": ("Job",),
    "definitions.ops.job_result": ("JobResult",),
    "definitions.ops.op": ("Op", "RunWhen", "op"),
    "definitions.ops.ports": ("DynamicOut", "DynamicOutput", "In", "Nothing", "Out", "Output"),
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
    "definitions.repository": ("repository",),
    "definitions.resources": ("EnvVar", "Resource"),
    "definitions.seed": ("seed",),
    "definitions.shared_call": ("Wanted",),
    "definitions.signature": ("Input",),
    "definitions.source": ("file_source", "observable_source"),
    "definitions.view": ("view",),
    "execution.report": ("RunReport",),
    "workspace.api": ("diff", "materialize", "read"),
}
_HOMES = {name: f"deltaworks.engine.{module}" for module, names in _NAMES.items() for name in names}
_HOMES["Difference"] = "deltaworks.io.difference"
_HOMES["RunStatus"] = "deltaworks.io.run_entry"
_MODULES = {
    "checks": "deltaworks.engine.definitions.checks",
    "client": "deltaworks.client",
    "resources": "deltaworks.resources",
    "testing": "deltaworks.testing",
}


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
