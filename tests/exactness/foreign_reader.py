"""Read a Delta table with DuckDB or ClickHouse and print its rows as JSON, in an environment without deltaworks.

Called as `foreign_reader.py READER TABLE CONDITION COLUMN...`, a column as NAME:KIND, in a folder above the table's:
ClickHouse reads no other files. Its own Delta reader is used, not the one that it shares with DuckDB.
"""

import json
import sys
from pathlib import Path

DUCKDB = {"date": "{0}::varchar", "float": "{0}::varchar", "decimal": "{0}::varchar", "instant": "epoch_us({0})"}
CLICKHOUSE = {
    "date": "toString({0})",
    "float": "toString({0})",
    "decimal": "toString({0})",
    "instant": "toUnixTimestamp64Micro({0})",
}
SETTINGS = "allow_experimental_delta_kernel_rs=0, output_format_json_quote_64bit_integers=0"


def selected(columns: list[str], spellings: dict[str, str]) -> str:
    pairs = [column.split(":") for column in columns]
    return ", ".join(spellings.get(kind, "{0}").format(f'"{name}"') + f" AS {name}_" for name, kind in pairs)


def read_with_duckdb(table: str, where: str, columns: list[str]) -> list[list[object]]:
    import duckdb
    import duckdb_extension_delta

    (extension,) = Path(duckdb_extension_delta.__path__[0]).rglob("*.duckdb_extension")
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    query = f"SELECT {selected(columns, DUCKDB)} FROM delta_scan('{table}') WHERE {where}"
    return [list(row) for row in connection.execute(query).fetchall()]


def read_with_clickhouse(table: str, where: str, columns: list[str]) -> list[list[object]]:
    import chdb

    query = f"SELECT {selected(columns, CLICKHOUSE)} FROM deltaLakeLocal('{table}') WHERE {where} SETTINGS {SETTINGS}"
    return [json.loads(line) for line in str(chdb.query(query, "JSONCompactEachRow")).splitlines()]


if __name__ == "__main__":
    read = {"duckdb": read_with_duckdb, "clickhouse": read_with_clickhouse}[sys.argv[1]]
    print(json.dumps(read(sys.argv[2], sys.argv[3], sys.argv[4:])))
