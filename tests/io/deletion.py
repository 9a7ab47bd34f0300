"""Deletion vectors as other writers write them; deltalake writes none."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def delete_rows(table: Path, partition: str | None, rows: Sequence[int]) -> None:
    """Commit that the only file of a partition has lost some of its first 65536 rows, by their positions."""
    log = table / "_delta_log"
    first = (log / f"{0:020d}.json").read_text(encoding="utf-8").splitlines()
    actions = [json.loads(line) for line in first]
    (metadata,) = (action["metaData"] for action in actions if "metaData" in action)
    (file,) = (
        action["add"]
        for action in actions
        if "add" in action and next(iter(action["add"]["partitionValues"].values()), None) == partition
    )
    bitmap = _bitmap(sorted(rows))
    vector = {
        "storageType": "i",
        "pathOrInlineDv": _z85(bitmap),
        "sizeInBytes": len(bitmap),
        "cardinality": len(rows),
    }
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    removed = {"path": file["path"], "dataChange": True, "partitionValues": file["partitionValues"], "size": 1}
    commit: list[dict[str, Any]] = [
        {"commitInfo": {"timestamp": 1_700_000_000_000, "operation": "DELETE", "engineInfo": "by hand"}},
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}},
        {"metaData": metadata | {"configuration": {"delta.enableDeletionVectors": "true"}}},
        {"remove": removed},
        {"add": file | {"dataChange": True, "deletionVector": vector}},
    ]
    version = DeltaTable(str(table)).version() + 1
    (log / f"{version:020d}.json").write_text("\n".join(map(json.dumps, commit)), encoding="utf-8")


def _bitmap(rows: Sequence[int]) -> bytes:
    """Return a RoaringBitmapArray of one array container. Source: Delta protocol, "Deletion Vector Format"."""
    container = struct.pack("<IIHHI", 12346, 1, 0, len(rows) - 1, 16) + struct.pack(f"<{len(rows)}H", *rows)
    return struct.pack("<IQI", 1681511377, 1, 0) + container


def _z85(content: bytes) -> str:
    text = ""
    for (word,) in struct.iter_unpack(">I", content + b"\0" * (-len(content) % 4)):
        text += "".join(_DIGITS[word // 85**power % 85] for power in (4, 3, 2, 1, 0))
    return text
