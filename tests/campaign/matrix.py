"""The fault matrix: what is done to lakes, runs and daemons, how often, and what is promised."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A line of the matrix."""

    name: str
    """As tests record it."""
    method: str
    promise: str
    goal: int
    """How often it is to be tried."""


WHOLE = "all old or all new, nothing acknowledged lost, the next run goes on"
MATRIX = (
    Fault("kill -9 in materialize", "at a random moment of a run of 3 assets, 13 partitions", WHOLE, 500),
    Fault("kill at every failpoint of a run", "18 named steps, 3 times each, on new and on old lakes", WHOLE, 54),
    Fault("a full disk at every failpoint of a run", "the same steps fail as on a full disk", WHOLE, 54),
    Fault("an error of our own at every failpoint of a run", "the same steps raise", WHOLE, 54),
    Fault(
        "kill -9 in backfill",
        "of the process of a run or one of its workers, at random; threads and processes; 365 days of 3 assets",
        "each partition committed once, what is committed stays",
        400,
    ),
    Fault(
        "kill -9 of daemons",
        "3 daemons on a hurried clock, 1,000 ticks; some sleep past their lease",
        "each tick has its effect once",
        300,
    ),
    Fault(
        "kill at every failpoint of a tick",
        "8 named steps, 3 times each, in 3 daemons",
        "each tick has its effect once",
        24,
    ),
    Fault(
        "kill -9 of daemons with conditions",
        "3 daemons, conditions on commits by others",
        "what is asked for is made once",
        30,
    ),
    Fault(
        "commits by others while a daemon runs",
        "at random moments, by two writers",
        "each is reflected downstream, nothing is built twice",
        1_000,
    ),
    Fault(
        "two backfills of the same partitions",
        "at once, without their claims; of new and of existing partitions",
        "no row twice, both tell what the other made",
        200,
    ),
    Fault(
        "every store call of a run fails once",
        "before or after it is done, the k-th call of each kind",
        "at most one more run",
        1,
    ),
    Fault(
        "a run dies at every store call",
        "before or after it is done; a table with rejected rows",
        "no row lost, none twice",
        1,
    ),
    Fault("a full disk", "20 sizes of a file system in memory", "whole partitions; with room the rest is made", 20),
    Fault("a read-only disk", "4 commands on a file system that is remounted", "reads work, one sentence else", 4),
    Fault("the last commit cut at every byte", "8 kinds of commits, by the engine and by others", "doctor finds it", 1),
    Fault(
        "a checkpoint or its hint cut at every byte",
        "one that is not cut is read from the commits",
        "doctor finds it, our reads do without",
        1,
    ),
    Fault(
        "every damage of docs/doctor.md",
        "made, diagnosed, repaired",
        "found as that and no other; the repair heals",
        26,
    ),
    Fault("a clock that jumps", "up to 5 hours back and forth, 12 times a case", "no tick twice, none skipped", 2_000),
    Fault(
        "hostile keys and names",
        "10,000 partition keys made and read back, 10,000 asset names",
        "refused, or inside their table",
        20_000,
    ),
    Fault(
        "malformed modules",
        "a good module with characters, words and lines lost, doubled and swapped",
        "one sentence that names the file",
        2_500,
    ),
    Fault("malformed crons", "fields of any signs", "refused in one sentence, or understood", 2_500),
    Fault(
        "bad user code",
        "raises, hangs, returns nonsense, exits, floods, devours memory; 20 times each",
        "its own partitions fail, all others are made",
        120,
    ),
    Fault(
        "secrets",
        "printed, logged, raised, remembered; every byte of the lake and of all output is searched",
        "never written",
        6,
    ),
    Fault(
        "simulated lakes",
        "a lake under anything that may be done to it, in any order, against a naive oracle (Hypothesis)",
        "status, plans and rows as the oracle says",
        1,
    ),
    Fault(
        "simulated daemons",
        "daemons on an injected clock that crash at any failpoint and store call (Hypothesis)",
        "each tick has its effect once, none is skipped",
        1,
    ),
)
