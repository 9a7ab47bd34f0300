"""What Dagster's jobs of ops cost beside their ops: `dagster_ops.py OPS` prints CPU seconds of two sizes as JSON.

Ops that do nothing and know nothing of each other, run by `execute_in_process` on an instance in memory.
"""

from __future__ import annotations

import json
import logging
import sys
import time

import dagster as dg

FEW = 10


@dg.op
def nothing() -> None:
    """Do nothing."""


def cpu_s(count: int) -> float:
    """Return the CPU of composing and running a job of so many ops."""
    began = time.process_time()

    @dg.job(name=f"job{count}")
    def side_by_side() -> None:
        for number in range(count):
            nothing.alias(f"op{number}")()

    assert side_by_side.execute_in_process().success
    return time.process_time() - began


def main() -> None:
    """Run both sizes, after one that is not counted, and print what an op more costs."""
    logging.disable(logging.CRITICAL)
    many = int(sys.argv[1])
    cpu_s(FEW - 1)
    few_s, many_s = cpu_s(FEW), cpu_s(many)
    print(json.dumps({"cpu_ms": round((many_s - few_s) / (many - FEW) * 1000, 3)}))


if __name__ == "__main__":
    main()
