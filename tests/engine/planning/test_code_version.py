"""Code version: what changes it and what does not, on modules that are written, imported, edited and imported again."""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.planning.code_version import code_version, unseen_values

HEAD = """
import functools
from pathlib import Path
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from typing import Annotated, ClassVar
from {package} import shared
from {package}.shared import EXPR as IMPORTED, helper as far

class Flight(pa.DataFrameModel):
    day: pl.Date
    delay: float

class Files(dw.Resource):
    path: str = "x"
    SUFFIX: ClassVar[str] = ".parquet"

    def scan(self) -> pl.LazyFrame:
        return pl.scan_parquet(self._place())

    def _place(self) -> str:
        return self.path + self.SUFFIX

    def unused(self) -> int:
        return 1

class Tools:
    LIMIT = 10

    @staticmethod
    def clean(lf):
        return lf.filter(pl.col("delay") < Tools.LIMIT)

    def widen(self, lf):
        return lf.with_columns(wide=self._factor())

    def _factor(self):
        return 2

days = dw.DailyPartitions("2013-01-01", "2013-02-01", timezone="UTC")
LIMIT = 10
NAMES = {{"b", "a", ("c", frozenset({{"y", "x"}}))}}
FACTOR = 3
HERE = Path(__file__).parent
EXPR = pl.col("delay") * FACTOR
CASES = {{"mean": lambda c: c.mean()}}
double, triple = lambda c: c * 2, lambda c: c * 3

def near(column, by=2):
    return column + by

def cached(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs).head(5)
    return wrapper

@functools.lru_cache
def slow(name):
    return pl.col(name) + 7

def power(exponent):
    def raised(column):
        return column ** exponent
    return raised

square = power(2)
"""

SHARED = """
import polars as pl
BASE = 5
EXPR = pl.col("delay") - BASE
def helper(column):
    return inner(column)
def inner(column):
    return column * 100
class Box:
    @classmethod
    def empty(cls):
        return cls.size()
    @classmethod
    def size(cls):
        return 4
"""

BODY = """
@dw.asset(partitions=days, partition_by="day", group="raw")
def table(flights: Annotated[dw.LazyFrame[Flight], dw.Input(mapping=dw.TimeWindowMapping(-6))]) -> dw.LazyFrame[Flight]:
    '''Say what it is.'''
    return flights.filter(pl.col("delay") > 1)
"""

Version = Callable[..., str]


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Version]:
    """Return a function that writes a package, imports it and returns the code version of its asset `table`."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    package = f"project_{next(_numbers)}"

    def version_of(body: str = BODY, head: str = HEAD, shared: str = SHARED) -> str:
        return _version(_imported(tmp_path, package, body, head, shared))

    yield version_of
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


_numbers = itertools.count()


def _imported(folder: Path, package: str, body: str, head: str, shared: str) -> ModuleType:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
    (folder / package).mkdir(exist_ok=True)
    (folder / package / "__init__.py").write_text("")
    (folder / package / "shared.py").write_text(shared)
    (folder / package / "tables.py").write_text(head.format(package=package) + body)
    importlib.invalidate_caches()
    return importlib.import_module(f"{package}.tables")


def _version(module: ModuleType) -> str:
    asset = module.table
    inputs = asset.signature.upstreams
    return code_version(asset, {each.argument: each.mapping or dw.IdentityMapping() for each in inputs})


def test_a_version_names_its_scheme_and_is_the_same_when_nothing_changes(version: Version) -> None:
    assert version().startswith("1:")
    assert version() == version()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'''Say what it is.'''\n", "'''Say it otherwise.'''  # and why\n\n"),
        ("    '''Say what it is.'''\n", ""),
        ('pl.col("delay") > 1', "(\n        pl.col('delay')\n        > 1  # minutes\n    )"),
        ("-> dw.LazyFrame[Flight]", '-> "dw.LazyFrame[Flight]"'),
        ('group="raw"', 'group="other", tags={"tier": "gold"}, owners=["team:ops"]'),
        ('group="raw"', "backfill=dw.BackfillPolicy.ranges(5)"),
        ("return flights", "kept: pl.LazyFrame\n    return flights"),
    ],
)
def test_how_it_is_typed_does_not_count(version: Version, old: str, new: str) -> None:
    assert old in BODY
    assert version(BODY.replace(old, new)) == version()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("> 1", "> 2"),
        ("> 1", ">= 1"),
        ('"delay"', '"day"'),
        ("TimeWindowMapping(-6)", "TimeWindowMapping(-5)"),
        ("flights", "flights_raw"),
    ],
)
def test_what_it_does_counts(version: Version, old: str, new: str) -> None:
    assert version(BODY.replace(old, new)) != version()


MAPPED = "def above(key: str) -> list[str]:\n    return [key]\n" + BODY.replace("dw.TimeWindowMapping(-6)", "above")


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("return [key]", "return [key, key[:4]]", True),
        ("return [key]", "return [key]  # the same", False),
        ("mapping=above", "mapping=lambda key: [key, key]", True),
        ("mapping=above", "mapping=dw.MultiMapping({'day': above})", True),
    ],
)
def test_a_function_that_maps_keys_counts_by_what_it_does(version: Version, old: str, new: str, counts: bool) -> None:
    assert (version(MAPPED.replace(old, new)) != version(MAPPED)) is counts
    assert version(MAPPED.replace(old, new)) == version(MAPPED.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ('timezone="UTC"', 'timezone="America/New_York"', True),
        ("day: pl.Date\n    delay: float", "day: pl.Date\n    delay: int", True),
        ("day: pl.Date\n    delay: float", "day: pl.Date\n    delay: float\n    more: int", True),
        ("day: pl.Date\n    delay: float", "day: pl.Date\n    delay: float = pa.Field(coerce=True)", True),
        ("day: pl.Date\n    delay: float", "day: pl.Date\n    delay: float = pa.Field(ge=0)", False),
        ("day: pl.Date\n    delay: float", "delay: float\n    day: pl.Date", False),
        ('"2013-01-01", "2013-02-01"', '"2012-01-01"', False),
        ("column + by", "column - by", False),
        ("LIMIT = 10\nNAMES", "LIMIT = 11\nNAMES", False),
    ],
)
def test_the_definition_counts_and_what_is_not_mentioned_does_not(
    version: Version, old: str, new: str, counts: bool
) -> None:
    assert old in HEAD
    assert (version(head=HEAD.replace(old, new)) != version()) == counts


def test_the_partition_column_counts(version: Version) -> None:
    head = HEAD.replace("day: pl.Date\n", "day: pl.Date\n    other: pl.Date\n")
    body = BODY.replace('partition_by="day"', 'partition_by="other"')

    assert version(body, head) != version(BODY, head)


USES = {
    "near(pl.col('delay'))": [("column + by", "column - by"), ("by=2", "by=3")],
    "far(pl.col('delay'))": [("column * 100", "column * 99"), ("return inner(column)", "return inner(column) + 1")],
    "shared.helper(pl.col('delay'))": [("column * 100", "column * 99")],
    "pl.col('delay') > shared.BASE": [("BASE = 5", "BASE = 6")],
    "pl.col('delay') > LIMIT": [("LIMIT = 10\nNAMES", "LIMIT = 11\nNAMES")],
    "pl.col('delay').is_in(list(NAMES))": [('"y", "x"', '"y", "z"'), ('{{"b", "a"', '{{"b", "d"')],
    "EXPR": [('pl.col("delay") * FACTOR', 'pl.col("delay") + FACTOR'), ("FACTOR = 3", "FACTOR = 4")],
    "IMPORTED > 0": [('pl.col("delay") - BASE', 'pl.col("delay") + BASE'), ("BASE = 5", "BASE = 6")],
    "CASES['mean'](pl.col('delay'))": [("c.mean()", "c.max()")],
    "double(pl.col('delay'))": [("c * 2", "c * 4")],
    "triple(pl.col('delay'))": [("c * 3", "c * 4")],
    "square(pl.col('delay'))": [("power(2)", "power(3)"), ("column ** exponent", "column + exponent")],
    "slow('delay')": [("pl.col(name) + 7", "pl.col(name) + 8")],
    "Tools.clean(flights)": [
        ('pl.col("delay") < Tools', 'pl.col("delay") > Tools'),
        ("    LIMIT = 10\n", "    LIMIT = 9\n"),
    ],
    "Tools().widen(flights)": [("wide=self", "broad=self"), ("return 2", "return 3")],
    "shared.Box.empty()": [("return 4", "return 5")],
    "[near(each) for each in (pl.col('delay'),)]": [("column + by", "column - by")],
    "(lambda each: near(each))(pl.col('delay'))": [("column + by", "column - by")],
    "list(Flight.to_schema().columns)": [("delay: float", "delay: int")],
}


@pytest.mark.parametrize(
    ("use", "old", "new"), [(use, old, new) for use, changes in USES.items() for old, new in changes]
)
def test_what_a_function_reaches_counts(version: Version, use: str, old: str, new: str) -> None:
    body = BODY.replace('pl.col("delay") > 1', use).replace(" -> dw.LazyFrame[Flight]", " -> pl.LazyFrame")
    assert old in HEAD + SHARED

    assert version(body) == version(body)
    assert version(body, HEAD.replace(old, new), SHARED.replace(old, new)) != version(body)


@pytest.mark.parametrize(("use", "neighbour"), [("double", "c * 3"), ("triple", "c * 2")])
def test_lambdas_of_one_line_are_told_apart(version: Version, use: str, neighbour: str) -> None:
    body = BODY.replace('pl.col("delay") > 1', f"{use}(pl.col('delay'))")

    assert version(body, HEAD.replace(neighbour, "c * 9")) == version(body)


RESOURCEFUL = """
@dw.asset
def table(files: Files) -> pl.LazyFrame:
    return files.scan()
"""


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("pl.scan_parquet(self._place())", "pl.scan_csv(self._place())", True),
        ("self.path + self.SUFFIX", "self.path", True),
        ("return 1", "return 2", False),
        ('path: str = "x"', 'path: str = "y"', False),
        ("def scan(self) -> pl.LazyFrame:", "def scan(self):\n        '''Say it.'''", False),
    ],
)
def test_the_methods_of_a_resource_count_and_its_values_do_not(
    version: Version, old: str, new: str, counts: bool
) -> None:
    assert (version(RESOURCEFUL, HEAD.replace(old, new)) != version(RESOURCEFUL)) == counts


DECORATED = """
@dw.asset
@cached
def table(files: Files) -> pl.LazyFrame:
    return files.scan()
"""


@pytest.mark.parametrize("change", [("head(5)", "head(6)"), ("pl.scan_parquet(", "pl.scan_csv("), ("self.path +", "")])
def test_a_decorator_of_the_project_counts_and_so_does_what_it_wraps(version: Version, change: tuple[str, str]) -> None:
    assert version(DECORATED, HEAD.replace(*change)) != version(DECORATED)


def test_annotations_of_variables_and_layout_of_helpers_do_not_count(version: Version) -> None:
    body = BODY.replace('pl.col("delay") > 1', "near(EXPR)")
    head = HEAD.replace("LIMIT = 10\nNAMES", "LIMIT: int = 10\nNAMES")
    head = head.replace(
        "    return column + by", '    """Add."""\n    # so it is\n    return (column\n            + by)'
    )
    head = head.replace("def near(column, by=2)", "def near(column: pl.Expr, by: int = 2) -> pl.Expr")
    head = head.replace('EXPR = pl.col("delay") * FACTOR', "EXPR: pl.Expr = pl.col('delay')  *  FACTOR")

    assert version(body, head) == version(body)


def test_where_the_project_lies_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = BODY.replace('pl.col("delay") > 1', "pl.col('place') == str(HERE / 'x') + __file__")
    package = f"project_{next(_numbers)}"
    versions: list[str] = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
        versions.append(_version(_imported(folder, package, body, HEAD, SHARED)))

    assert versions[0] == versions[1]


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("PLACE = []\nPLACE.append(1)\n", False),
        ("from decimal import Decimal\nPLACE = []\ndef more():\n    PLACE.append(Decimal(2))\n", False),
        ("from PACKAGE.tables import PLACE\nPLACE.exists()\n", True),
        ("from PACKAGE.tables import PLACE\ndef more():\n    PLACE.exists()\n", True),
        ("from PACKAGE import tables\ntables.PLACE.exists()\n", True),
        ("def more():\n    import PACKAGE.tables as t\n    t.PLACE.exists()\n", True),
    ],
)
def test_a_module_of_the_process_counts_if_it_may_know_the_variable(
    version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, counts: bool
) -> None:
    body = "PLACE = Path('/').absolute()\n" + BODY.replace("> 1", "> len(PLACE.parts)")
    alone = version(body)
    package = next(name for name in sys.modules if (tmp_path / name).is_dir())
    (tmp_path / f"stranger_{package}.py").write_text(text.replace("PACKAGE", package))
    importlib.invalidate_caches()
    module = importlib.import_module(f"stranger_{package}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    tables = sys.modules[f"{package}.tables"]

    assert (_version(tables) != alone) is counts


CLOSED = """
def make(limit):
    @dw.asset
    def table(flights: pl.LazyFrame) -> pl.LazyFrame:
        return flights.filter(pl.col("delay") > limit)
    return table
table = make(1)
"""


def test_a_closures_value_counts(version: Version) -> None:
    assert version(CLOSED.replace("make(1)", "make(2)")) != version(CLOSED)
    assert version(CLOSED.replace("make(1)", "make({1, 2})")) == version(CLOSED.replace("make(1)", "make({2, 1})"))
    expression = CLOSED.replace("make(1)", "make(pl.col('x') * 2)")
    assert version(expression) == version(expression) != version(expression.replace("* 2", "* 3"))


def test_an_authors_own_version_stands_for_the_code(version: Version) -> None:
    body = BODY.replace('group="raw"', 'code_version="7"')

    assert version(body) == version(body.replace("> 1", "> 2")) == "override:7"


def test_values_that_cannot_be_seen_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    body = CLOSED.replace("make(1)", "make(object())")
    module = _imported(tmp_path, f"project_{next(_numbers)}", body, HEAD, SHARED)

    assert [each.name for each in unseen_values(module.table)] == ["limit"]


def test_a_version_is_the_same_in_every_process_whatever_the_hash_seed(tmp_path: Path) -> None:
    uses = ", ".join(use for use in USES if "flights" not in use)
    body = BODY.replace('pl.col("delay") > 1', uses) + (
        "\nSOURCELESS = {}\n"
        'exec(\'def f(flights):\\n    return flights.filter(lambda c: c in {1, "a", (2, "b")})\', SOURCELESS)\n'
        "SOURCELESS['f'].__annotations__ = {'flights': pl.LazyFrame, 'return': pl.LazyFrame}\n"
        "sourceless = dw.asset(SOURCELESS['f'])\n"
    )
    package = f"project_{next(_numbers)}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("")
    (tmp_path / package / "shared.py").write_text(SHARED)
    (tmp_path / package / "tables.py").write_text(HEAD.format(package=package) + body)
    script = (
        f"import deltaworks as dw, {package}.tables as t\n"
        "from deltaworks.engine.planning.code_version import code_version\n"
        "m = {'flights': dw.TimeWindowMapping(-6)}\n"
        "print(code_version(t.table, m), code_version(t.sourceless, m))"
    )

    def run(seed: str) -> str:
        environ = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path)}
        ran = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
        return ran.stdout

    assert run("1") == run("2") == run("3") != ""


def sourceless(text: str, **values: object) -> str:
    """Return the code version of a function that was compiled from text that is kept nowhere."""
    scope: dict[str, object] = {"pl": pl, **values}
    exec(compile(text, "<nowhere>", "exec", dont_inherit=True), scope)
    function: Callable[..., pl.LazyFrame] = scope["f"]
    function.__annotations__ = {"flights": pl.LazyFrame, "return": pl.LazyFrame}
    return code_version(dw.asset(function), {"flights": dw.IdentityMapping()})


NOWHERE = "def f(flights):\n    def inner(c):\n        return c.sum() + LIMIT\n    return flights.map_batches(inner)"


def test_without_source_bytecode_stands_in() -> None:
    assert sourceless(NOWHERE, LIMIT=1) == sourceless(NOWHERE, LIMIT=1)
    assert sourceless(NOWHERE, LIMIT=1) == sourceless(NOWHERE.replace("\n    def", "\n    # why\n    def"), LIMIT=1)
    assert sourceless(NOWHERE, LIMIT=1) == sourceless(NOWHERE.replace(":\n    def", ":\n    'Say.'\n    def"), LIMIT=1)


@pytest.mark.parametrize(
    "change", [("c.sum()", "c.max()"), ("+ LIMIT", "- LIMIT"), ("map_batches", "pipe"), ("inner(c)", "inner(c, d=1)")]
)
def test_without_source_what_it_does_counts_however_deep(change: tuple[str, str]) -> None:
    assert sourceless(NOWHERE.replace(*change), LIMIT=1) != sourceless(NOWHERE, LIMIT=1)


def test_without_source_values_and_helpers_count() -> None:
    calls = "def f(flights):\n    return help(flights)"

    assert sourceless(NOWHERE, LIMIT=1) != sourceless(NOWHERE, LIMIT=2)
    helped = sourceless(f"def help(lf):\n    return lf.head(1)\n{calls}")
    assert helped != sourceless(f"def help(lf):\n    return lf.head(2)\n{calls}")
    expression = "def f(flights):\n    return flights.select(EXPR)"
    assert sourceless(expression, EXPR=pl.col("x") * 2) == sourceless(expression, EXPR=pl.col("x") * 2)
    assert sourceless(expression, EXPR=pl.col("x") * 2) != sourceless(expression, EXPR=pl.col("x") * 3)
