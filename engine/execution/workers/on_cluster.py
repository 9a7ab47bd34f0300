"""OnCluster: start the executor that uses Dask, which is imported only then, if it is installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.execution.workers.capture import LineSink
from deltaworks.engine.execution.workers.children import processors
from deltaworks.engine.execution.workers.cluster import Cluster
from deltaworks.engine.execution.workers.executor import Executor, P, R
from deltaworks.errors import RequestError


def start_on_cluster(
    cluster: Cluster,
    count: int,
    make: Callable[[], Callable[[P], R]],
    limits_of: Callable[[P], Limits],
    resources_of: Callable[[P], Mapping[str, float]],
    environ: Mapping[str, str],
    line: LineSink,
    note: Callable[[str], None],
    masked: Callable[[str], str],
    prepared: Callable[[P], tuple[P, R | None]] | None = None,
) -> Executor[P, R]:
    """Start the executor of a run; see `DaskExecutor`.

    Args:
        cluster: which one.
        count: how many workers one on this machine gets.
        make: loads the project in another process.
        limits_of: how far the call of a task may go.
        resources_of: what a worker must offer to it.
        environ: the variables of a cluster on this machine; others have their own, since they are other machines.
        line: takes what calls print.
        note: is told what somebody may want to mend.
        masked: takes secrets out of what outcomes say.
        prepared: returns a task as it can travel, and its outcome if it cannot; none: it travels as it is.

    Raises:
        RequestError: Dask is not installed; or the cluster does not answer, has no worker, or one that is not fit.
    """
    try:
        # Imported here: it is an extra, and takes half a second.
        door: Any = importlib.import_module("deltaworks.engine.execution.workers.dask.executor")
    except ModuleNotFoundError as error:
        if str(error.name).split(".")[0] not in ("dask", "distributed"):
            raise
        raise RequestError(
            f'executor "dask" needs the package {error.name}, which is not installed: run `pip install '
            "'deltaworks[dask]'`, or use threads or processes."
        ) from error
    shared = {"POLARS_MAX_THREADS": str(max(1, processors() // count)), **environ}
    executor: Executor[P, R] = door.DaskExecutor(
        cluster,
        count,
        make,
        limits_of,
        resources_of,
        shared if cluster.scheduler is None else {},
        line,
        note,
        masked,
        prepared,
    )
    return executor
