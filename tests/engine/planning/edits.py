"""A project of everything that a code version looks at, and edits of it: file, what stands there, what then."""

from __future__ import annotations

TABLES = '''
"""Tables."""
import asyncio
import enum
import functools
import math as m
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, NamedTuple

import pandera.polars as pa
import polars as pl
from pydantic import BaseModel, field_validator

import deltaworks as dw
from PACKAGE import consts, helpers
from PACKAGE.consts import *
from PACKAGE.helpers import Base, as_percent, outermost as far

try:
    from PACKAGE.fast import quick
except ImportError:
    from PACKAGE.slow import quick

UNUSED = 1
LIMIT = 10
NUMBERS = {"low": 1, "high": [2, 3], "names": {"b", "a"}}
EXPRESSION = pl.col("delay") * LIMIT
BY_NAME = {"mean": lambda c: c.mean(), "max": [lambda c: c.max()]}
PARTIAL = functools.partial(helpers.scaled, by=4)
EXPRESSIONS = {}
for each in ("a", "b"):
    EXPRESSIONS[each] = pl.col(each) + 1
EXPRESSIONS.update(c=pl.col("c") * 5)

if LIMIT > 5:
    SIGN = pl.lit(1)
else:
    SIGN = pl.lit(-1)

class Color(enum.Enum):
    RED = 1
    BLUE = 2
    def label(self):
        return f"{self.name}!"

@dataclass
class Options:
    limit: int = 7
    names: list = field(default_factory=lambda: ["n"])
    def widen(self):
        return self.limit + 30

class Pair(NamedTuple):
    low: int
    high: int = 40
    def middle(self):
        return (self.low + self.high) / 2

class Config(BaseModel):
    rate: float = 1.5
    @field_validator("rate")
    @classmethod
    def twice(cls, value):
        return value * 2

class Tools:
    FACTOR = 2
    SHARED = pl.col("delay") - 8
    __secret = 11
    def __call__(self, column):
        return column * 12 + self.__hidden()
    def __hidden(self):
        return self.__secret
    @property
    def factor(self):
        return self.FACTOR * 13
    @functools.cached_property
    def cached(self):
        return 14
    @staticmethod
    def plain(column):
        return column + 15
    @classmethod
    def made(cls):
        return cls()

class MoreTools(Tools):
    def plain_more(self, column):
        return super().plain(column) + 16

class Remembered:
    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.function = function
    def __call__(self, *args):
        return self.function(*args) + 17

def wrapping(number):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs).head(number)
        return wrapper
    return decorate

def registering(function):
    return function

@Remembered
def remembered(column):
    return column * 18

@functools.singledispatch
def dispatched(value):
    return 19

@dispatched.register
def _(value: int):
    return 20

def nested(column, by=21, expression=EXPRESSION):
    def inner(value):
        total = value + by
        return total * 22
    return inner(column) + expression

def closing(number):
    def closed(column):
        return column + number
    return closed

closed = closing(23)

def udf(value):
    return value + 24

def lazily():
    from PACKAGE.late import lately
    import PACKAGE.later
    return lately() + PACKAGE.later.number()

async def waiting():
    return 25

def generated():
    yield 26
    yield from (27,)

def matching(value):
    match value:
        case {"kind": kind, **rest} if kind:
            return 28
        case [first, *others]:
            return first
        case _:
            return None

def walrus(values):
    return [half for value in values if (half := value // 2) > 29]

def spelling(value):
    return "%s-30" % value + f"{value:>31}" + "{:.32f}".format(value)

def debugging(value):
    debugged = value
    return f"{debugged=}"

def unused(column):
    return column

client = consts.Client()
MAKER = consts.make()

class Files(helpers.Store):
    inner: helpers.Inner
    path: str = "x"
    def scan(self):
        return pl.scan_csv(self.path + self.suffix())
    def nothing(self):
        return 1

class Flight(pa.DataFrameModel):
    day: pl.Date
    delay: float = pa.Field(nullable=True)

class Result(pa.DataFrameModel):
    day: pl.Date
    delay: float = pa.Field(ge=0)
    class Config:
        metadata = {"on_fail": "fail"}

days = dw.DailyPartitions("2013-01-01", "2013-02-01", timezone="UTC")
regions = dw.StaticPartitions(["east", "west"])
both = dw.MultiPartitions({"day": days, "region": regions})

def previous(key):
    return [key, "2013-01-01"]

@dw.asset(
    partitions=both,
    partition_by=[pl.col("day").dt.date().alias("cut"), "region"],
    group="raw",
    tags={"tier": "gold"},
    owners=["ada"],
    retry=dw.RetryPolicy(max_retries=2),
)
@registering
@wrapping(33)
@wrapping(34)
def table(
    flights: Annotated[dw.LazyFrame[Flight], dw.Input(mapping=dw.MultiMapping({"day": previous}))],
    carriers: Annotated[pl.LazyFrame, dw.Input(mapping=dw.AllPartitionsMapping())],
    files: Files,
    partition: dw.Partition,
    log: dw.Logger,
) -> pl.LazyFrame:
    """Make it."""
    total = pl.col("delay").sum()  # minutes
    uses = [
        LIMIT, NUMBERS["low"], EXPRESSION, BY_NAME["mean"](total), PARTIAL(total), EXPRESSIONS["a"], SIGN,
        Color.RED.label(), Color(2), Options().widen(), Pair(1).middle(), Config(rate=3).rate,
        Tools()(total), Tools.made().factor, Tools.SHARED, MoreTools().plain_more(total),
        remembered(total), dispatched(1), nested(total), closed(total), lazily(), asyncio.run(waiting()),
        list(generated()), matching({}), walrus([1]), spelling(2), debugging(3), quick(total), far(total),
        helpers.aliased(total), consts.NUMBER, STARRED, STARRED_NUMBER, client.fetch(), MAKER, m.floor(1.5),
        consts.PATCHED, consts.PATCHED_NUMBER, helpers.with_store(files), files.inner.deep(), as_percent(total),
        pl.col("delay").mine.doubled(), pl.col("delay").map_elements(udf, return_dtype=pl.Int64),
        pl.col("delay").map_elements(lambda v: v + 35, return_dtype=pl.Int64), Base.__name__, date(2013, 1, 1),
    ]
    return flights.filter(pl.col("delay") > 36).join(files.scan(), on="day").select(*uses)
'''

HELPERS = """
import polars as pl
import deltaworks as dw
from PACKAGE import consts

def outermost(column):
    return middle(column)

def middle(column):
    return innermost(column) + consts.NUMBER

def innermost(column):
    return column * 100

aliased = outermost

def scaled(column, by):
    return column * by + 101

def as_percent(column):
    return column * 102

class Inner(dw.Resource):
    def deep(self):
        return 103

class Base(dw.Resource):
    def suffix(self):
        return self.extension()
    def extension(self):
        return ".csv"

class Store(Base):
    def open(self):
        return 104

def with_store(store):
    return store.open()

@pl.api.register_expr_namespace("mine")
class Mine:
    def __init__(self, expression):
        self.expression = expression
    def doubled(self):
        return self.expression * 105

def unused(column):
    return column

consts.PATCHED = pl.col("x") * 106
consts.PATCHED_NUMBER = 107
"""

CONSTS = """
import polars as pl
NUMBER = 200
UNUSED = 0
STARRED = pl.col("y") * 201
STARRED_NUMBER = 202
PATCHED = None
PATCHED_NUMBER = None
class Client:
    def __init__(self, url="u"):
        self.url = url
    def fetch(self):
        return self.url + "203"
def make():
    return pl.col("z") * 204
"""

OTHERS = {
    "slow": "def quick(column):\n    return column + 300\n",
    "late": "def lately():\n    return 301\n",
    "later": "def number():\n    return 302\n",
}

BODY = "    total = pl.col"
Edit = tuple[str, str, str]

CHANGES: dict[str, Edit] = {
    "a number in the function": ("tables", "> 36)", "> 37)"),
    "another method": ("tables", 'pl.col("delay").sum()', 'pl.col("delay").min()'),
    "a constant": ("tables", "LIMIT = 10", "LIMIT = 11"),
    "a constant of another module": ("consts", "NUMBER = 200", "NUMBER = 210"),
    "a dict": ("tables", '"low": 1', '"low": 2'),
    "a list in a dict": ("tables", "[2, 3]", "[2, 4]"),
    "a set in a dict": ("tables", '{"b", "a"}', '{"b", "c"}'),
    "an expression": ("tables", 'pl.col("delay") * LIMIT', 'pl.col("delay") + LIMIT'),
    "expressions of a loop": ("tables", "pl.col(each) + 1", "pl.col(each) + 2"),
    "what a loop of expressions goes through": ("tables", 'in ("a", "b")', 'in ("a", "b", "d")'),
    "expressions that are added by a call": ("tables", 'pl.col("c") * 5', 'pl.col("c") * 6'),
    "an expression under a condition": ("tables", "SIGN = pl.lit(1)", "SIGN = pl.lit(2)"),
    "a lambda in a dict": ("tables", "c.mean()", "c.median()"),
    "a lambda in a list in a dict": ("tables", "c.max()", "c.min()"),
    "an argument of a partial": ("tables", "by=4", "by=5"),
    "what a partial calls": ("helpers", "column * by + 101", "column * by + 110"),
    "a helper": ("helpers", "innermost(column) + consts", "innermost(column) - consts"),
    "a helper of a helper's helper": ("helpers", "column * 100", "column * 99"),
    "which helper a name means": ("helpers", "aliased = outermost", "aliased = middle"),
    "which helper an import means": ("tables", "outermost as far", "middle as far"),
    "which library a name means": ("tables", "import math as m", "import cmath as m"),
    "which module of a conditional import": ("slow", "column + 300", "column + 310"),
    "what is imported in the call": ("late", "return 301", "return 311"),
    "a module that is imported in the call": ("later", "return 302", "return 312"),
    "a star import's expression": ("consts", 'pl.col("y") * 201', 'pl.col("y") * 211'),
    "a star import's number": ("consts", "STARRED_NUMBER = 202", "STARRED_NUMBER = 212"),
    "an expression put in place from outside": ("helpers", 'pl.col("x") * 106', 'pl.col("x") * 116'),
    "a number put in place from outside": ("helpers", "PATCHED_NUMBER = 107", "PATCHED_NUMBER = 117"),
    "a method of a module's object": ("consts", '"203"', '"213"'),
    "a constructor's default": ("consts", 'url="u"', 'url="v"'),
    "what makes a module's expression": ("consts", 'pl.col("z") * 204', 'pl.col("z") * 214'),
    "an enum's member": ("tables", "RED = 1", "RED = 3"),
    "an enum's other member": ("tables", "BLUE = 2", "BLUE = 4"),
    "an enum's method": ("tables", '{self.name}!"', '{self.name}?"'),
    "a dataclass's default": ("tables", "limit: int = 7", "limit: int = 8"),
    "a dataclass's default factory": ("tables", '["n"]', '["o"]'),
    "a dataclass's method": ("tables", "self.limit + 30", "self.limit + 31"),
    "a named tuple's default": ("tables", "high: int = 40", "high: int = 41"),
    "a named tuple's method": ("tables", "self.high) / 2", "self.high) / 3"),
    "a pydantic default": ("tables", "rate: float = 1.5", "rate: float = 1.6"),
    "a pydantic field's type": ("tables", "rate: float", "rate: int"),
    "a pydantic validator": ("tables", "value * 2", "value * 3"),
    "a class's attribute": ("tables", "FACTOR = 2", "FACTOR = 3"),
    "a class's expression": ("tables", 'pl.col("delay") - 8', 'pl.col("delay") - 9'),
    "a private attribute": ("tables", "__secret = 11", "__secret = 12"),
    "calling an object": ("tables", "column * 12", "column * 13"),
    "a private method": ("tables", "return self.__secret", "return -self.__secret"),
    "a property": ("tables", "self.FACTOR * 13", "self.FACTOR * 14"),
    "a cached property": ("tables", "return 14", "return 15"),
    "a method reached by super": ("tables", "column + 15", "column + 16"),
    "a method beside super": ("tables", "(column) + 16", "(column) + 17"),
    "a decorator that is a class": ("tables", "self.function(*args) + 17", "self.function(*args) + 18"),
    "what a class decorates": ("tables", "column * 18", "column * 19"),
    "a function's dispatch": ("tables", "return 20", "return 21"),
    "a function's default dispatch": ("tables", "return 19", "return 18"),
    "a default value": ("tables", "by=21", "by=22"),
    "a default expression": ("tables", "expression=EXPRESSION", "expression=EXPRESSION * 2"),
    "a nested function": ("tables", "total * 22", "total * 23"),
    "a closure's value": ("tables", "closing(23)", "closing(24)"),
    "a closure's function": ("tables", "column + number", "column - number"),
    "the body of a udf": ("tables", "value + 24", "value + 25"),
    "a lambda": ("tables", "v + 35", "v + 36"),
    "an async helper": ("tables", "return 25", "return 26"),
    "a generator": ("tables", "yield 26", "yield 27"),
    "what a generator delegates to": ("tables", "(27,)", "(28,)"),
    "a case of a match": ("tables", "return 28", "return 29"),
    "a pattern of a match": ("tables", '"kind": kind', '"sort": kind'),
    "a guard of a match": ("tables", "if kind:", "if not kind:"),
    "a walrus": ("tables", "value // 2", "value // 3"),
    "string formatting": ("tables", "%s-30", "%s-31"),
    "an f-string's format": ("tables", "{value:>31}", "{value:>32}"),
    "an f-string's expression": ("tables", "{value:>31}", "{value!r:>31}"),
    "a format method": ("tables", "{:.32f}", "{:.33f}"),
    "a local that is shown by its name": (
        "tables",
        'debugged = value\n    return f"{debugged=}"',
        'shown = value\n    return f"{shown=}"',
    ),
    "a resource's method": ("tables", "pl.scan_csv(self", "pl.scan_parquet(self"),
    "a resource's inherited method": ("helpers", '".csv"', '".tsv"'),
    "a method of a resource that is handed on": ("helpers", "return 104", "return 114"),
    "a method of a resource in a resource": ("helpers", "return 103", "return 113"),
    "a namespace of Polars": ("helpers", "self.expression * 105", "self.expression * 115"),
    "a decorator's argument": ("tables", "@wrapping(33)", "@wrapping(32)"),
    "a decorator's wrapper": ("tables", ".head(number)", ".tail(number)"),
    "the order of two wrappers": ("tables", "@wrapping(33)\n@wrapping(34)", "@wrapping(34)\n@wrapping(33)"),
    "a mapping": ("tables", "dw.AllPartitionsMapping()", "dw.LastPartitionMapping()"),
    "a mapping function": ("tables", '[key, "2013-01-01"]', '[key, "2013-01-02"]'),
    "which asset is read": ("tables", "dw.Input(mapping=dw.All", 'dw.Input(asset="others", mapping=dw.All'),
    "partition_by's expression": ("tables", 'pl.col("day").dt.date()', 'pl.col("day").dt.truncate("1d")'),
    "partition_by's column": ("tables", 'alias("cut")', 'alias("slice")'),
    "the kind of partitions": ("tables", 'dw.DailyPartitions("2013', 'dw.WeeklyPartitions("2013'),
    "the time zone": ("tables", 'timezone="UTC"', 'timezone="Europe/Paris"'),
}

NO_CHANGES: dict[str, Edit] = {
    "nothing": ("tables", "", ""),
    "a comment": ("tables", "# minutes", "# seconds"),
    "a comment above": ("tables", BODY, "    # why\n" + BODY),
    "blank lines": ("tables", BODY, "\n\n" + BODY),
    "layout": ("tables", '.filter(pl.col("delay") > 36)', ".filter(\n        (pl.col('delay')\n        > 36)\n    )"),
    "the docstring": ("tables", '"""Make it."""', '"""Make it otherwise."""'),
    "no docstring": ("tables", '    """Make it."""\n', ""),
    "a helper's docstring": ("helpers", "    return middle(column)", "    'Say.'\n    return middle(column)"),
    "a module's docstring": ("tables", '"""Tables."""', '"""Others."""'),
    "a local in a nested function": (
        "tables",
        "total = value + by\n        return total",
        "both = value + by\n        return both",
    ),
    "a local in a comprehension": (
        "tables",
        "[half for value in values if (half := value",
        "[part for value in values if (part := value",
    ),
    "a local of a match": (
        "tables",
        "case [first, *others]:\n            return first",
        "case [one, *more]:\n            return one",
    ),
    "an annotation": ("tables", "def closed(column):", "def closed(column: pl.Expr) -> pl.Expr:"),
    "an annotation of a variable": ("tables", "LIMIT = 10", "LIMIT: int = 10"),
    "an annotation of a local": ("tables", BODY, "    kept: int\n" + BODY),
    "an annotation of a field": ("tables", "limit: int = 7", "limit: float = 7"),
    "an unused helper": ("helpers", "def unused(column):\n    return column", "def unused(column):\n    return 1"),
    "an unused helper beside": (
        "tables",
        "def unused(column):\n    return column",
        "def unused(column):\n    return 1",
    ),
    "an unused constant": ("consts", "UNUSED = 0", "UNUSED = 1"),
    "an unused import": ("tables", "import asyncio", "import os\nimport asyncio"),
    "a library's name": ("tables", "import math as m\n", "import math\nm = math\n"),
    "a helper's place in its file": ("helpers", "def unused(column):\n    return column", ""),
    "the import style of a library": (
        "consts",
        'import polars as pl\nNUMBER = 200\nUNUSED = 0\nSTARRED = pl.col("y")',
        'import polars\nimport polars as pl\nNUMBER = 200\nUNUSED = 0\nSTARRED = polars.col("y")',
    ),
    "the import style of a library's function": (
        "consts",
        "def make():\n    return pl.col",
        "from polars import col\ndef make():\n    return col",
    ),
    "the name of an import": (
        "tables",
        "import functools\n",
        "import functools\nfrom PACKAGE.helpers import as_percent as unneeded\n",
    ),
    "a check": ("tables", "pa.Field(ge=0)", "pa.Field(ge=0, le=10)"),
    "no check": ("tables", "pa.Field(ge=0)", "pa.Field()"),
    "a severity": ("tables", '"on_fail": "fail"', '"on_fail": "warn"'),
    "a group": ("tables", 'group="raw"', 'group="other"'),
    "a tag": ("tables", '"tier": "gold"', '"tier": "tin"'),
    "an owner": ("tables", 'owners=["ada"]', 'owners=["bob"]'),
    "a retry": ("tables", "max_retries=2", "max_retries=3"),
    "a backfill policy": ("tables", "    group=", "    backfill=dw.BackfillPolicy.ranges(5),\n    group="),
    "a location": ("tables", "    group=", '    location="elsewhere",\n    group='),
    "a decorator that leaves no trace": ("tables", "@registering\n", ""),
    "the order of one that leaves no trace": (
        "tables",
        "@registering\n@wrapping(33)\n",
        "@wrapping(33)\n@registering\n",
    ),
    "a cache of a helper": ("tables", "def udf(value)", "@functools.lru_cache(maxsize=8)\ndef udf(value)"),
    "the start": ("tables", '"2013-01-01", "2013-02-01"', '"2012-01-01", "2013-02-01"'),
    "the end": ("tables", '"2013-01-01", "2013-02-01"', '"2013-01-01", "2013-03-01"'),
    "a static key": ("tables", '["east", "west"]', '["east", "west", "north"]'),
    "a resource's value": ("tables", 'path: str = "x"', 'path: str = "y"'),
    "an upstream's check": ("tables", "pa.Field(nullable=True)", "pa.Field(nullable=True, ge=0)"),
}

SEEN_FOR_NOTHING: dict[str, Edit] = {
    "another name for the same helper": ("tables", "helpers.aliased(total)", "helpers.outermost(total)"),
    "the name of an argument": (
        "helpers",
        "def as_percent(column):\n    return column",
        "def as_percent(each):\n    return each",
    ),
}
