"""What a job of ops costs beside its ops: CPU of ten thousand that do nothing, each way: `make bench`.

`ops.py tiny` runs every case once, on a few. CPU is that of this process, threads included; composing the graph and
running it are told apart.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from rows import Row, keep

import deltaworks as dw

TINY = sys.argv[1:] == ["tiny"]
OPS = 20 if TINY else 10_000


@dw.op
def nothing(before: Any = None) -> None:
    """Do nothing."""


@dw.op(out=dw.DynamicOut())
def keys() -> Any:
    """Give many keys."""
    return [dw.DynamicOutput(None, f"k{number}") for number in range(OPS - 2)]


@dw.op
def count(found: list[Any]) -> int:
    """Count what was collected."""
    return len(found)


def side_by_side() -> None:
    """Call ops that know nothing of each other."""
    for _ in range(OPS):
        nothing()


def chain() -> None:
    """Call ops one after the other."""
    before: Any = nothing()
    for _ in range(OPS - 1):
        before = nothing(before)


def fan_out() -> Any:
    """Call one op for many keys."""
    return count(keys().map(nothing).collect())


def main() -> None:
    """Run the cases and print the table."""
    print(f"\nCPU of {OPS:,} ops that do nothing, on 2 threads")
    print(f"{'what':14} {'lake':>6} {'compose ms/op':>14} {'run ms/op':>10}", flush=True)
    for body in (side_by_side, chain, fan_out):
        for has_lake in (False, True):
            compose_ms, run_ms = _measured(body, has_lake=has_lake)
            print(f"{body.__name__:14} {'yes' if has_lake else 'no':>6} {compose_ms:14.3f} {run_ms:10.3f}", flush=True)
            way = f"deltaworks, {body.__name__}{', on a lake' if has_lake else ''}"
            figures = {"compose_ms": round(compose_ms, 4), "cpu_ms": round(compose_ms + run_ms, 4)}
            keep(Row("an op that does nothing", way, figures, sizes={"ops": OPS}))


def _measured(body: Callable[[], Any], *, has_lake: bool) -> tuple[float, float]:
    began = time.process_time()
    job = dw.graph(body).to_job()
    composed = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        result = job.execute_in_process(lake=folder if has_lake else None)
    assert result.success, result.failures
    assert sum(step.tries for step in result.steps.values()) == OPS, "every op runs exactly once"
    ran = time.process_time()
    return (composed - began) / OPS * 1000, (ran - composed) / OPS * 1000


if __name__ == "__main__":
    main()
