"""Make the table `orders` with an old deltalake, in an environment of its own: `pip install deltalake==0.25.5`.

    python make.py

Another library than the one that tests use wrote it, cleaned its log and went on.
"""

import datetime as dt
import os
import shutil
import time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

HERE = Path(__file__).parent / "orders"
SCHEMA = pa.schema(
    [
        ("day", pa.date32()),
        ("city", pa.string()),
        ("id", pa.int64()),
        ("lines", pa.list_(pa.struct([("sku", pa.string()), ("n", pa.int32())]))),
        ("labels", pa.map_(pa.string(), pa.string())),
        ("price", pa.decimal128(12, 2)),
        ("seen_at", pa.timestamp("us")),
        ("sent_at", pa.timestamp("us", "UTC")),
    ]
)


def rows(day: int, city: str | None, *ids: int) -> pa.Table:
    """Return orders of a day and a city; all of an order follows from its number."""
    return pa.Table.from_pylist(
        [
            {
                "day": dt.date(2024, 1, day),
                "city": city,
                "id": number,
                "lines": [{"sku": f"s{number}", "n": number}, {"sku": None, "n": None}],
                "labels": [("k", str(number))],
                "price": Decimal(number) / 4,
                "seen_at": dt.datetime.fromisoformat(f"2024-01-0{day}T0{number}:00"),
                "sent_at": dt.datetime(2024, 1, day, number, tzinfo=dt.UTC),
            }
            for number in ids
        ],
        SCHEMA,
    )


if __name__ == "__main__":
    shutil.rmtree(HERE, ignore_errors=True)
    by = ["day", "city"]
    write_deltalake(HERE, rows(1, "São Paulo", 1, 2), partition_by=by)
    write_deltalake(HERE, rows(1, "a b/c%20=d", 3), mode="append")
    write_deltalake(HERE, rows(2, None, 4), mode="append")
    DeltaTable(HERE).delete("city = 'São Paulo' AND id = 1")
    table = DeltaTable(HERE)
    table.create_checkpoint()
    for each in (HERE / "_delta_log").iterdir():
        os.utime(each, (time.time() - 40 * 86_400,) * 2)
    table.cleanup_metadata()
    more = rows(2, "Ulm", 5).append_column("note", pa.array(["late"]))
    write_deltalake(HERE, more, mode="append", schema_mode="merge", engine="rust")
    DeltaTable(HERE).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
