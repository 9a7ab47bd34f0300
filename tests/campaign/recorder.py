"""The recorder: what a row of the fault campaign counted, as a line of JSON for the report.

Nothing is written unless the environment variable `DELTAWORKS_CAMPAIGN` names a file, as `make soak` does.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import random
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.campaign.checker import Verdict

FILE, SEED = "DELTAWORKS_CAMPAIGN", "DELTAWORKS_SEED"


@dataclass
class Row:
    """One kind of fault, and what came of it so far."""

    fault: str
    """As `tests/campaign/report.py` names it."""
    seed: int
    tried: int = 0
    survived: int = 0
    """After which everything was as it must be."""
    lost: int = 0
    doubled: int = 0
    partial: int = 0
    note: str = ""
    """What else was counted."""

    @property
    def chance(self) -> random.Random:
        """Chance that gives the same again for the same seed and fault."""
        return random.Random(f"{self.seed} {self.fault}")

    def count(self, verdict: Verdict, *, also: bool = True, said: str = "", times: int = 1) -> None:
        """Note one fault more, or so many `times`; `also`: whether all else, as it is `said`, was as it must be."""
        self.tried += times
        self.lost, self.doubled = self.lost + verdict.lost, self.doubled + verdict.doubled
        self.partial += verdict.partial
        self.survived += times * (also and not verdict.told)
        assert not verdict.told, "\n".join(verdict.told)
        assert also, said

    @contextmanager
    def one(self) -> Generator[None]:
        """Note one fault more, which is survived if nothing is raised."""
        self.tried += 1
        yield
        self.survived += 1


def machine() -> str:
    """What kind of machine this is."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{platform.system()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, Python {platform.python_version()}"


@contextmanager
def recorded(fault: str) -> Generator[Row]:
    """Count what comes of a fault. The seed is that of the environment, or another one each time; it is printed."""
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(2**32))
    row, begun_s, failure = Row(fault, seed), time.monotonic(), None
    print(f"{SEED}={seed}")
    try:
        yield row
    except BaseException as error:
        failure = f"{type(error).__name__}: {error}".splitlines()[0]
        raise
    finally:
        line = {**asdict(row), "took_s": round(time.monotonic() - begun_s), "failure": failure}
        line |= {"at": dt.datetime.now(dt.UTC).date().isoformat(), "machine": machine()}
        line["test"] = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]
        print(json.dumps(line))
        if FILE in os.environ:
            with Path(os.environ[FILE]).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
