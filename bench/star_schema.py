"""A star over TPC-H's orders beside a plain script: eight tables, five of them by month: `make bench`.

The data comes from `tpchgen-cli`, which has an environment of its own. In each round both ways run, each a process of
its own, and what they made is compared. `star_schema.py SCALE ROUNDS` says how much there is: scale factor 1, the
default, has 6 million lines of orders, 10 has 60 million.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "tpch"))

from environment import Environment
from measure import measure
from rows import Row, keep, measured
from star import fingerprint
from ways import PLAIN_STAR, STAR

HERE = Path(__file__).parent / "tpch"


def main() -> None:
    """Make the data, and print a row for each way and round."""
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    print(f"\nTPC-H, scale factor {scale:g}: eight tables, 420 partitions")
    print(f"{'way':36} {'CPU s':>8} {'wall s':>8} {'peak MiB':>9}")
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        tables = ("lineitem", "orders", "customer", "supplier", "part", "nation", "region")
        generate = [Environment("tpch").program("tpchgen-cli"), "parquet", "-s", f"{scale:g}", "-o", str(data)]
        subprocess.run([*generate, "-T", ",".join(tables)], check=True, stdout=subprocess.DEVNULL)
        for number in range(rounds):
            _round(data, scale, number)


def _round(data: Path, scale: float, number: int) -> None:
    made = set[tuple[float, ...]]()
    for way in (PLAIN_STAR, STAR):
        with tempfile.TemporaryDirectory() as name:
            lake = Path(name)
            command = [str(HERE / "plain.py"), str(data), str(lake)]
            if way == STAR:
                command = ["-m", "deltaworks", "backfill", "-f", str(HERE / "tables.py"), "--lake", str(lake)]
            found = measure([sys.executable, *command], HERE, {"TPCH_DATA": str(data)})
            result = fingerprint(lake)
        made.add(result)
        print(f"{way:36} {found.cpu_s:8.1f} {found.wall_s:8.1f} {found.peak_mib:9.0f}", flush=True)
        keep(Row("tpch", way, measured(found), number, {"scale": scale}, result))
    if len(made) != 1:
        raise SystemExit(f"the ways disagree: {made}")


if __name__ == "__main__":
    main()
