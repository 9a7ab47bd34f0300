"""A cluster in the test's own process that carries tasks out. Apart, so that the processes of calls need no Dask."""

from __future__ import annotations

from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.execution.workers.cluster import Cluster
from deltaworks.engine.execution.workers.dask.executor import DaskExecutor
from deltaworks.engine.execution.workers.executor import Executor
from tests.engine.execution.carried_out import AnyOutcome, AnyTask, Given, Work


def on_dask(work: Work, limits: Limits | None = None) -> Executor[AnyTask, AnyOutcome]:
    return DaskExecutor(
        Cluster(),
        2,
        Given(work),
        limits_of=lambda _: limits or Limits(),
        resources_of=lambda _: {},
        environ={},
        line=lambda _: None,
        note=lambda _: None,
    )
