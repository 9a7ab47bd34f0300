"""`deltaworks runs show` of a job of ops: its steps as a tree, from the lake alone."""

from __future__ import annotations

from typing import Any

JOBS = """
@dw.op(out=dw.DynamicOut())
def folders():
    return [dw.DynamicOutput(name, name) for name in ("a.b", "c")]

@dw.op(out=dw.DynamicOut())
def files(folder: str):
    return [dw.DynamicOutput(f"{folder}/{n}", f"f{n}") for n in range(2)]

@dw.op(retry=dw.RetryPolicy(max_retries=1, delay_s=0))
def read(file: str) -> int:
    if file == "c/1":
        raise ValueError("no such file")
    return 1

@dw.op
def total(numbers: list[int]) -> int:
    return sum(numbers)

@dw.graph
def folder(name: str):
    return total(files(name).map(read).collect())

@dw.op
def mail(totals: list[int]) -> None: ...

@dw.job
def walk() -> None:
    mail(folders().map(folder).collect())
"""


def test_graphs_and_keys_are_indented_with_what_became_of_each_step(shell: Any) -> None:
    file = shell.folder / "tables.py"
    file.write_text(file.read_text() + JOBS)
    failed = shell.run("job", "run", "walk", "--run-id", "r1", "--json")
    file.write_text("import deltaworks as dw\n" + JOBS.replace("walk", "other"))

    shown = shell.run("runs", "show", "r1").out
    tree = shell.run("runs", "show", "r1", "--json").json["step_tree"]

    assert failed.code == 1
    lines = [line.split() for line in shown.splitlines()]
    table = lines[lines.index(["step", "status", "tries", "took", "reason"]) + 1 :]
    assert [(line[0], line[1]) for line in table] == [
        ("folders", "success"),
        ("folder", "failed"),
        ("[a.b]", "success"),
        ("files", "success"),
        ("read", "success"),
        ("[f0]", "success"),
        ("[f1]", "success"),
        ("total", "success"),
        ("[c]", "failed"),
        ("files", "success"),
        ("read", "failed"),
        ("[f0]", "success"),
        ("[f1]", "failed"),
        ("total", "blocked"),
        ("mail", "blocked"),
    ]
    assert ["steps", "7", "success,", "2", "blocked,", "1", "failed"] in lines
    assert [each["name"] for each in tree] == ["folders", "folder", "mail"]
    folder = {each["name"]: each for each in tree[1]["steps"]}["[c]"]
    assert (folder["step"], folder["status"], folder["tries"]) == (None, "failed", 4)
    read = {each["name"]: each for each in folder["steps"]}["read"]
    found = {each["step"]: each for each in read["steps"]}["folder[c].read[f1]"]
    assert (found["status"], found["tries"], found["kept"]) == ("failed", 2, False)
    assert "ValueError: no such file" in found["reason"]
    assert tree[2]["reason"] == "folder[c].read[f1] failed"
