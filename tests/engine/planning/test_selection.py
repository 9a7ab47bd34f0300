"""Selection: which assets an argument means, be it written well, badly or by an enemy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deltaworks as dw
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.selection import select
from deltaworks.engine.planning.selection_syntax import (
    And,
    Attribute,
    Expression,
    Having,
    Name,
    Not,
    Or,
    Reach,
    parse,
)
from deltaworks.engine.planning.status import LakeStatus
from deltaworks.errors import RequestError, UnknownAsset

BRONZE, GOLD = {"tier": "bronze"}, {"tier": "gold", "pii": ""}


def table(key: str, *upstreams: str, **options: Any) -> dw.Asset[..., Any]:
    """Return an asset that reads others."""
    scope: dict[str, Any] = {}
    exec(f"def function({', '.join(f'input_{number}' for number in range(len(upstreams)))}): ...", scope)
    scope["function"].__annotations__ = {"return": pl.LazyFrame} | {
        f"input_{number}": Annotated[pl.LazyFrame, dw.Input(asset=upstream)]
        for number, upstream in enumerate(upstreams)
    }
    return dw.asset(name=key, code_version="new", **options)(scope["function"])


@pytest.fixture(scope="module")
def lake(lake_of: Callable[..., Any]) -> Any:
    """Return ten tables: five fresh, one that somebody wrote, three that are stale for it, one that is missing."""
    lake = lake_of(
        table("raw/flights", group="raw", tags=BRONZE, owners=["team:ops"]),
        table("raw/carriers", group="raw", tags=BRONZE, owners=["ada+x@example.com", "team:ops"]),
        table("raw/us/weather", group="raw"),
        table("daily", "raw/flights", "raw/carriers", tags={"tier": "silver"}),
        table("delays", "daily", "raw/us/weather", tags=GOLD),
        table("recent", "daily", group="report", tags=GOLD),
        table("year", "delays", "raw/carriers", group="report", owners=["Ada Lovelace"]),
        table("and", "year"),
        table("2013", "delays"),
        table("notes", group='it\'s "new"'),
    )
    for key in lake.graph.nodes:
        if str(key) != "notes":
            lake.make(str(key))
    lake.write_outside("delays")
    lake.fail("recent")
    return lake


@pytest.fixture(scope="module")
def graph(lake: Any) -> AssetGraph:
    return lake.graph


@pytest.fixture(scope="module")
def status(lake: Any) -> LakeStatus:
    return lake.status()


RAW = "raw/flights raw/carriers raw/us/weather"
EVERY = f"{RAW} daily delays recent year and 2013 notes"


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("daily", "daily"),
        (" daily ", "daily"),
        ("daily+", "daily delays recent year and 2013"),
        ("+daily", "daily raw/flights raw/carriers"),
        ("+delays+", f"{RAW} daily delays year and 2013"),
        ("daily+1", "daily delays recent"),
        ("daily+0", "daily"),
        ("raw/us/weather+2", "raw/us/weather delays year 2013"),
        ("1+delays", "delays daily raw/us/weather"),
        ("1+delays+1", "daily raw/us/weather delays year 2013"),
        ("1 + delays + 1", "daily raw/us/weather delays year 2013"),
        ("999999999+year", f"{RAW} daily delays year"),
        ("+delays+1", f"{RAW} daily delays year 2013"),
        ("group:raw", RAW),
        ("group:raw+1", f"{RAW} daily delays year"),
        ("tag:tier=gold", "delays recent"),
        ("tag:tier", "raw/flights raw/carriers daily delays recent"),
        ("tag:pii=", "delays recent"),
        ("owner:team:ops", "raw/flights raw/carriers"),
        ("owner:'Ada Lovelace'", "year"),
        ('owner:"ada+x@example.com"', "raw/carriers"),
        ("""group:"it's "'"new"'""", "notes"),
        ("kind:asset", EVERY),
        ("status:fresh", f"{RAW} daily recent"),
        ("status:stale", "year and 2013"),
        ("status:missing", "notes"),
        ("status:external", "delays"),
        ("status:failed", "recent"),
        ("*", EVERY),
        ("raw/*", RAW),
        ("*/us/*", "raw/us/weather"),
        ("d*", "daily delays"),
        ("[!a-z]*", "2013"),
        ("?e*", "delays recent year"),
        ("d*+1", "daily delays recent year 2013"),
        ('"and"', "and"),
        ("+'and'+", f"{RAW} daily delays year and"),
        ("2013", "2013"),
        ("2013+", "2013"),
        ('1+"2013"', "delays 2013"),
        ("1+2013+1", "delays 2013"),
        ("daily or year", "daily year"),
        ("group:raw and tag:tier", "raw/flights raw/carriers"),
        ("not group:raw", "daily delays recent year and 2013 notes"),
        ("not not year", "year"),
        ("daily or year and notes", "daily"),
        ("(daily or year) and notes", ""),
        ("not daily and d*", "delays"),
        ("not (daily and d*)", f"{RAW} delays recent year and 2013 notes"),
        ("((daily))", "daily"),
        ("(recent or year)+", "recent year and"),
        ("+(group:report and tag:tier=gold)", "raw/flights raw/carriers daily recent"),
        ("1+(delays and tag:pii)+1", "daily raw/us/weather delays year 2013"),
        ("+delays and not 1+delays", "raw/flights raw/carriers"),
        ("(not group:raw)and(daily or year)", "daily year"),
        ("status:missing and group:raw", ""),
    ],
)
def test_an_argument_means_assets(graph: AssetGraph, status: LakeStatus, argument: str, expected: str) -> None:
    assert {str(key) for key in select(graph, [argument], lambda: status)} == set(expected.split())


def test_arguments_mean_their_union_upstreams_first_and_none_means_every_asset(graph: AssetGraph) -> None:
    assert [str(key) for key in select(graph, ["year", "daily", "raw/* and daily"])] == ["daily", "year"]
    assert select(graph, []) == tuple(graph.nodes) == select(graph, ["*"])


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("dayly", "There is no asset 'dayly'. Did you mean 'daily'?"),
        ("+dayly+2", "There is no asset 'dayly'. Did you mean 'daily'?"),
        ("../flights", "There is no asset '../flights'. Did you mean 'raw/flights'?"),
        ('"status:stale"', "There is no asset 'status:stale'. `deltaworks list` shows what is defined."),
        ("rwa/*", "No asset matches 'rwa/*'. `deltaworks list` shows what is defined."),
        ("group:row", "No asset is in group 'row'. Did you mean 'raw'?"),
        ("tag:tire=gold", "No asset has the tag 'tire=gold'. Did you mean 'tier=gold'?"),
        ("tag:tier=golden", "No asset has the tag 'tier=golden'. Did you mean 'tier=gold'?"),
        ("owner:team:op", "No asset has the owner 'team:op'. Did you mean 'team:ops'?"),
        ("owner:nobody", "No asset has the owner 'nobody'. `deltaworks list --json` shows what there is."),
        ("kind:table", "There is no kind 'table'; known are asset, seed, external, source."),
        (
            "daily,recent",
            "Selection 'daily,recent' has a comma: several assets are separate arguments, `daily recent`.",
        ),
        ("status:old", "There is no status 'old'; known are missing, fresh, stale, external, failed."),
    ],
)
def test_what_is_unknown_is_answered_with_what_is_known(graph: AssetGraph, argument: str, sentence: str) -> None:
    with pytest.raises(UnknownAsset if "no asset" in sentence else RequestError) as refused:
        select(graph, [argument])

    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("a and", "at its end: an asset is missing."),
        ("+", "at its end: an asset is missing."),
        ("a and or b", "at character 7: an asset is missing before 'or'; an asset of that name is written '\"or\"'."),
        ("and", "at character 1: an asset is missing before 'and'; an asset of that name is written '\"and\"'."),
        ("++a", "at character 2: an asset is missing before '+'."),
        ("+not a", "at character 2: an asset is missing before 'not'; an asset of that name is written '\"not\"'."),
        ("()", "at character 2: an asset is missing before ')'."),
        ("a b", "at character 3: `and` or `or` is missing before 'b'."),
        ("a++", "at character 3: `and` or `or` is missing before '+'."),
        ("a AND b", "at character 3: `and` or `or` is missing before 'AND'."),
        ("a (b)", "at character 3: `and` or `or` is missing before '('."),
        ("a and (b or (c)", "at character 7: this parenthesis is never closed."),
        ("(a b)", "at character 4: `and`, `or` or `)` is missing before 'b'."),
        ("a) or b", "at character 2: this parenthesis was never opened."),
        ("a+b", "at character 3: 'b' is no number of levels; `or` joins what two selections mean."),
        ("a+2.5", "at character 3: '2.5' is no number of levels; `or` joins what two selections mean."),
        ("a+-1", "at character 3: '-1' is no number of levels; `or` joins what two selections mean."),
        ("a+²", "at character 3: '²' is no number of levels; `or` joins what two selections mean."),
        ("1234567890+a", "at character 1: '1234567890' is no number of levels; `or` joins what two selections mean."),
        ("grup:raw", "at character 1: nothing is selected by 'grup:'. Did you mean 'group:'?"),
        ("s3://a", "at character 1: nothing is selected by 's3:'. There are group:, tag:, owner:, kind:, status:."),
        ("a or group:", "at character 6: nothing stands after 'group:'."),
        ("tag:''", "at character 1: nothing stands after \"tag:''\"."),
        ("a or 'b", "at character 6: this quote is never closed."),
        ("it's", "at character 3: this quote is never closed."),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(argument: str, problem: str) -> None:
    with pytest.raises(RequestError) as refused:
        parse(argument)

    assert str(refused.value) == f"Selection {argument!r}, {problem}"


@pytest.mark.parametrize("argument", ["", " ", "\n\t"])
def test_an_empty_argument_is_refused(graph: AssetGraph, argument: str) -> None:
    with pytest.raises(RequestError, match=r"A selection is empty; leave it out to mean every asset\."):
        select(graph, ["daily", argument])


def test_of_a_long_text_only_what_stands_around_the_place_is_shown() -> None:
    with pytest.raises(RequestError) as refused:
        parse("a or " * 100 + "b c" + " or a" * 100)

    shown = "…or a or a or a or a or a or b c or a or a or a or a or a or …"
    assert str(refused.value) == f"Selection {shown!r}, at character 503: `and` or `or` is missing before 'c'."


def test_a_status_is_read_once_and_only_if_it_is_asked_for(graph: AssetGraph, status: LakeStatus) -> None:
    readings: list[LakeStatus] = []

    def read() -> LakeStatus:
        readings.append(status)
        return status

    select(graph, ["daily", "group:raw+"], read)
    assert len(readings) == 0
    select(graph, ["status:stale or status:failed", "status:missing"], read)
    assert len(readings) == 1


def test_a_status_cannot_be_asked_for_without_a_lake(graph: AssetGraph) -> None:
    with pytest.raises(RequestError, match="Nothing can be selected by status: here, where no lake is read"):
        select(graph, ["daily or status:stale"])


HOSTILE = {
    "nested": "(" * 10_000 + "daily" + ")" * 10_000,
    "opened": "(" * 100_000,
    "closed": "daily" + ")" * 100_000,
    "negated": "not " * 25_000 + "daily",
    "plus": "+" * 100_000,
    "levels": "9" * 100_000 + "+daily",
    "far": "daily+" + "9" * 100_000,
    "word": "a" * 100_000,
    "words": "a " * 50_000,
    "unknown": "a or " * 20_000 + "a",
    "group": "group:" + "a" * 99_990,
    "colons": ":" * 100_000,
    "quotes": "'" * 99_999,
    "pieces": "a''" * 33_333,
    "mixed quotes": "\"'" * 50_000,
    "spaces": " " * 100_000,
    "stars": "*a" * 499,
    "brackets": "[" * 999,
    "null": "\0" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_ends_in_one_sentence(graph: AssetGraph, name: str) -> None:
    with pytest.raises(RequestError) as refused:
        select(graph, [HOSTILE[name]])

    assert len(str(refused.value)) < 1_500
    assert "\n" not in str(refused.value)


def test_a_long_selection_is_no_hostile_one(graph: AssetGraph) -> None:
    assert len(select(graph, [" or ".join(["+daily and not raw/*"] * 4_000)])) == 1


# An expression says the same as its text, and means the same as sets of keys.

KEYS = [*EVERY.split()]
VALUES = [
    *((Attribute.GROUP, value) for value in ("raw", "report", "default", 'it\'s "new"')),
    *((Attribute.TAG, value) for value in ("tier", "tier=gold", "tier=bronze", "pii", "pii=")),
    *((Attribute.OWNER, value) for value in ("team:ops", "Ada Lovelace", "ada+x@example.com")),
    *((Attribute.STATUS, value) for value in ("missing", "fresh", "stale", "external", "failed")),
    (Attribute.KIND, "asset"),
]
LEVELS = st.sampled_from([None, 0, 1, 2, 3])
LEAVES = st.one_of(
    st.builds(Name, st.sampled_from([*KEYS, "*", "raw/*", "*a*", "d?[a-z]*"])),
    st.sampled_from(VALUES).map(lambda pair: Having(*pair)),
)


def _larger(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    operands = st.lists(parts, min_size=2, max_size=3).map(tuple)
    reach = st.builds(Reach, parts, LEVELS, LEVELS).filter(lambda found: (found.above, found.below) != (0, 0))
    return st.one_of(reach, st.builds(Not, parts), st.builds(And, operands), st.builds(Or, operands))


EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(LEAVES, _larger, max_leaves=12)


def spelled(expression: Expression) -> str:
    match expression:
        case Name(text):
            return quoted(text)
        case Having(attribute, value):
            return f"{attribute}:{quoted(value)}"
        case Reach(inner, above, below):
            before = "" if above == 0 else "+" if above is None else f"{above}+"
            after = "" if below == 0 else "+" if below is None else f"+{below}"
            return before + inside(inner, And, Or, Not, Reach) + after
        case Not(inner):
            return f"not {inside(inner, And, Or)}"
        case And(operands):
            return " and ".join(inside(operand, And, Or) for operand in operands)
        case Or(operands):
            return " or ".join(inside(operand, Or) for operand in operands)


def inside(expression: Expression, *weaker: type) -> str:
    return f"({spelled(expression)})" if isinstance(expression, weaker) else spelled(expression)


def quoted(text: str) -> str:
    if text in {"and", "or", "not"} or text.isdigit():
        return f"'{text}'"
    return "".join(f'"{each}"' if each in " +()'" else f"'{each}'" if each == '"' else each for each in text)


class Naive:
    """What expressions mean, by looking at each pair of assets."""

    def __init__(self, graph: AssetGraph, status: LakeStatus) -> None:
        self.graph, self.status = graph, status
        self._nodes = graph.nodes

    def of(self, expression: Expression) -> set[AssetKey]:
        match expression:
            case Name(text):
                return {key for key in self._nodes if self._matches(str(key), text)}
            case Having(attribute, value):
                return {key for key in self._nodes if self._has(key, attribute, value)}
            case Reach(inner, above, below):
                some = self.of(inner)
                up = {key for key in self._nodes for each in some if self._is_within(key, each, above)}
                down = {key for key in self._nodes for each in some if self._is_within(each, key, below)}
                return up | down
            case Not(inner):
                excluded = self.of(inner)
                return {key for key in self._nodes if key not in excluded}
            case And(operands):
                parts = list(map(self.of, operands))
                return {key for key in self._nodes if all(key in part for part in parts)}
            case Or(operands):
                parts = list(map(self.of, operands))
                return {key for key in self._nodes if any(key in part for part in parts)}

    def _is_within(self, upper: AssetKey, lower: AssetKey, levels: int | None) -> bool:
        if upper == lower:
            return True
        left = None if levels is None else levels - 1
        return levels != 0 and any(self._is_within(upper, edge.upstream, left) for edge in self._nodes[lower].upstream)

    def _matches(self, key: str, text: str) -> bool:
        patterns: dict[str, Callable[[str], bool]] = {
            "*": lambda _: True,
            "raw/*": lambda key: key.startswith("raw/"),
            "*a*": lambda key: "a" in key,
            "d?[a-z]*": lambda key: key in {"daily", "delays"},
        }
        return patterns[text](key) if text in patterns else key == text

    def _has(self, key: AssetKey, attribute: Attribute, value: str) -> bool:
        asset, found = self._nodes[key].asset, self.status[key]
        match attribute:
            case Attribute.GROUP:
                return asset.group == value
            case Attribute.TAG:
                tag, equals, of_tag = value.partition("=")
                return asset.tags.get(tag) == of_tag if equals else tag in asset.tags
            case Attribute.OWNER:
                return value in asset.owners
            case Attribute.KIND:
                return True
            case Attribute.STATUS if value == "failed":
                return len(found.state.failed) > 0
            case Attribute.STATUS:
                return found.status.to_list() == [["missing", "fresh", "stale", "external"].index(value)]


@pytest.fixture(scope="module")
def naive(graph: AssetGraph, status: LakeStatus) -> Naive:
    return Naive(graph, status)


@settings(deadline=None)
@given(expression=EXPRESSIONS)
def test_what_is_spelled_is_read_as_it_was_meant(expression: Expression) -> None:
    assert parse(spelled(expression)) == expression


@settings(deadline=None)
@given(expressions=st.lists(EXPRESSIONS, min_size=1, max_size=2))
def test_a_selection_means_the_same_as_sets(naive: Naive, expressions: list[Expression]) -> None:
    expected = set[AssetKey]().union(*map(naive.of, expressions))

    chosen = select(naive.graph, list(map(spelled, expressions)), lambda: naive.status)

    assert chosen == tuple(key for key in naive.graph.nodes if key in expected)


@settings(deadline=None)
@given(
    text=st.lists(st.sampled_from([*"+()'\": *0129a", " and ", " or ", " not ", "daily", "group:", "raw"])).map("".join)
)
def test_whatever_is_written_is_read_or_refused_in_one_line(naive: Naive, text: str) -> None:
    said = "read"
    try:
        select(naive.graph, [text])
    except RequestError as error:
        said = str(error)

    assert said.splitlines() == [said]
