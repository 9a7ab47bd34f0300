"""A project in which everything that authors, data and failures may name is markup."""

from html.parser import HTMLParser

from tests.acceptance.conftest import Here

KINDS = (
    *("group", "owner", "tag", "words", "column", "field", "value", "key", "metadata", "error", "rule", "log"),
    *("printed", "config", "described", "skip", "run-tag"),
)
"""Where markup is put; each has a tag of its own."""

KEY = "Evil.-_/javascript"


def markup(kind: str) -> str:
    return f"\"'><canary-{kind} onload=boom()></canary-{kind}><script>boom()</script>${{7*7}}{{{{7*7}}}}"


PROJECT = f'''
import sys
from typing import Annotated

import pandera.polars as pa
import polars as pl
import pydantic
import deltaworks as dw

MARKUP = {{kind: text for kind, text in {[(kind, markup(kind)) for kind in KINDS]!r}}}
COLUMN = "<canary-column>"
keys = dw.StaticPartitions([MARKUP["key"], "good"])

class Evil(pa.DataFrameModel):
    part: str = pa.Field(description=MARKUP["field"])
    amount: float = pa.Field(ge=0)
    text: str = pa.Field(alias=COLUMN)

    class Config:
        description = MARKUP["words"]

@dw.asset(name="{KEY}", partitions=keys, partition_by="part", group=MARKUP["group"],
          owners=[MARKUP["owner"]], tags={{"tier": MARKUP["tag"], MARKUP["tag"]: "x"}})
def evil(partition: dw.Partition, log: dw.Logger) -> dw.MaterializeResult[Evil]:
    {markup("words")!r}
    log.info(MARKUP["log"])
    rows = pl.LazyFrame({{"part": [partition.key], "amount": [1.0], COLUMN: [MARKUP["value"]]}})
    return dw.MaterializeResult(rows, {{MARKUP["metadata"]: MARKUP["metadata"], "number": 1}})

class Told(dw.Config):
    """Its field is named by its author, its value by whoever starts the job."""

    text: str = pydantic.Field(MARKUP["config"], description=MARKUP["described"])

@dw.op
def shout(config: Told) -> None:
    print(MARKUP["printed"], file=sys.stderr)
    raise ValueError(MARKUP["error"])

@dw.job(tags={{"tag": MARKUP["tag"]}})
def loud() -> None:
    {markup("described")!r}
    shout()

@dw.schedule(job=loud, cron="* * * * *")
def never(tick: dw.Tick) -> dw.SkipReason:
    {markup("described")!r}
    return dw.SkipReason(MARKUP["skip"])

@dw.sensor(job=loud)
def nothing(tick: dw.Tick) -> dw.SkipReason:
    {markup("described")!r}
    return dw.SkipReason(MARKUP["skip"])

@dw.asset_check(asset=evil)
def held(result: pl.LazyFrame) -> dw.CheckResult:
    return dw.CheckResult(False, message=MARKUP["rule"])

@dw.asset
def broken(evil: Annotated[pl.LazyFrame, dw.Input(asset="{KEY}")]) -> pl.LazyFrame:
    raise RuntimeError(MARKUP["error"])
'''


def made(here: Here) -> None:
    """Make the tables of the project, as far as they can be made."""
    here.write("tables.py", PROJECT)
    done = here.run("backfill", "--lake", str(here.lake), "--tag", f"tag={markup('run-tag')}")
    assert done.code == 1, done.err
    assert here.run("job", "run", "loud", "--lake", str(here.lake)).code == 1


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag.startswith("canary"):
            self.wrong.append(f"<{tag}>")
        if tag == "script" and not (given.get("src") or "").startswith("/static/"):
            self.wrong.append("a script of nobody")
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.wrong.append(f"<{tag} {name}>")
            if name in ("href", "src", "action", "formaction") and not (value or "").startswith(("/", "#", "?")):
                self.wrong.append(f"<{tag} {name}={value!r}>")
            self.text += f" {value}"

    def handle_data(self, data: str) -> None:
        self.text += data
