"""`check`: what it notes beside problems."""

from __future__ import annotations

from typing import Any

NOTED = 'import random\nCHANCE = random.Random()\n\n@dw.asset(partitions=days, partition_by="day")\ndef doubled'


def test_values_that_no_code_version_sees_are_noted_and_are_no_problem(shell: Any) -> None:
    tables = shell.folder / "tables.py"
    text = tables.read_text().replace('pl.col("n") * 2', 'pl.col("n") * CHANCE.randint(1, 2)')
    tables.write_text(text.replace('@dw.asset(partitions=days, partition_by="day")\ndef doubled', NOTED))
    line = tables.read_text().splitlines().index("CHANCE = random.Random()") + 1

    answer = shell.run("check")
    document = shell.run("check", "--json").json

    assert (answer.code, document["ok"], document["problems"]) == (0, True, [])
    assert document["notes"] == [{"asset": "doubled", "name": "CHANCE", "file": str(tables), "line": line}]
    note, proved, left, found = answer.lines
    assert note.startswith(f"note: doubled reads CHANCE ({tables}:{line}), whose changes its code version cannot see;")
    assert proved == "proved: 2 functions (doubled, total)"
    assert left == "not rehearsed: numbers, since it has no upstream"
    assert found == "3 assets: no problems found"


def test_an_authors_own_code_version_ends_the_note(shell: Any) -> None:
    tables = shell.folder / "tables.py"
    text = tables.read_text().replace('pl.col("n") * 2', 'pl.col("n") * CHANCE.randint(1, 2)')
    noted = NOTED.replace("days,", 'days, code_version="1",')
    tables.write_text(text.replace('@dw.asset(partitions=days, partition_by="day")\ndef doubled', noted))

    assert shell.run("check", "--json").json == {
        "ok": True,
        "problems": [],
        "notes": [],
        "proved": ["doubled", "total"],
        "opaque": [{"asset": "numbers", "reason": "has no upstream"}],
    }
    assert len(shell.run("check", "total", "--json").json["notes"]) == 0
