"""Joining: what does not fit between code locations costs one asset, and is told in one sentence."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import polars as pl

import deltaworks as dw
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.strata import strata
from deltaworks.engine.workspace.locations.description import describe, upstreams_within
from deltaworks.engine.workspace.locations.joining import Joined, fitting_graph, join
from deltaworks.engine.workspace.locations.stubs import stubs
from deltaworks.engine.workspace.locations.values import from_json, to_json

NOW = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)


def asset(name: str, *reads: str, is_view: bool = False) -> dw.Asset[..., Any]:
    """An asset that reads others by their names."""
    arguments = ", ".join(f"{each}: pl.LazyFrame" for each in reads)
    scope: dict[str, Any] = {"pl": pl}
    exec(f"def {name}({arguments}) -> pl.LazyFrame:\n    return pl.LazyFrame()\n", scope)
    return dw.view(scope[name]) if is_view else dw.asset(scope[name])


def told(location: str, *assets: dw.Asset[..., Any], **more: Any) -> Definitions:
    """What a host knows of a location."""
    definitions = Definitions(assets, **more)
    within = upstreams_within(definitions)
    alone = Definitions([each for each in definitions.assets if each.key in within])
    found = describe(location, definitions, build_graph(alone, NOW))
    return stubs(from_json(json.loads(json.dumps(to_json(found)))), lambda address, key: ())


def fitted(**locations: Definitions) -> tuple[list[str], list[str]]:
    """The assets that are left, and the sentences about the others."""
    joined, graph = fitting_graph(join(locations, {}), NOW, None)
    return [str(key) for key in graph.every], [problem.reason for problem in joined.problems]


def test_one_graph_of_all() -> None:
    names, problems = fitted(a=told("a", asset("raw")), b=told("b", asset("mart", "raw")))

    assert (names, problems) == (["raw", "mart"], [])


def test_of_two_assets_of_one_key_the_later_is_left_out() -> None:
    names, (problem,) = fitted(a=told("a", asset("raw")), b=told("b", asset("raw"), asset("own")))

    assert names == ["raw", "own"]
    assert problem.startswith("asset 'raw' of location 'b' is defined twice; the other definition is at ")
    assert problem.endswith(", in location 'a'")


def test_an_upstream_that_nobody_defines_costs_what_is_made_from_it() -> None:
    locations = {"a": told("a", asset("raw"), asset("mart", "rawe"), asset("report", "mart"))}

    joined, graph = fitting_graph(join(locations, {"b": "location 'b': it is gone"}), NOW, None)

    assert list(map(str, graph.nodes)) == ["raw"]
    one, other = (each.reason for each in joined.problems)
    assert one == "asset 'mart' reads 'rawe', but no asset has that name. Did you mean 'raw'?"
    assert other == (
        "asset 'report' reads 'mart', but no asset has that name. What is not loaded may have it: location 'b': it is "
        "gone"
    )


def test_a_circle_is_left_out_with_its_whole_way() -> None:
    names, (problem,) = fitted(a=told("a", asset("one", "two"), asset("fine")), b=told("b", asset("two", "one")))

    assert names == ["fine"]
    assert problem == "asset 'one': it is made from itself: one reads two reads one"


def test_a_view_is_read_only_at_home() -> None:
    names, (problem,) = fitted(
        a=told("a", asset("raw"), asset("seen", "raw", is_view=True), asset("own", "seen")),
        b=told("b", asset("peep", "seen")),
    )

    assert sorted(names) == ["own", "raw", "seen"]
    assert problem.startswith("asset 'peep' of location 'b' reads view 'seen' of location 'a'; a view is computed by")


def test_jobs_of_one_name_are_told_with_both_places() -> None:
    one, other = dw.define_asset_job("nightly"), dw.define_asset_job("nightly")

    joined = join({"a": told("a", asset("x"), jobs=[one]), "b": told("b", asset("y"), jobs=[other])}, {})

    assert [each.where for each in joined.definitions.jobs.values()] == [one.where]
    (problem,) = joined.problems
    assert str(problem) == f"{other.where}: job 'nightly' is defined twice; the other definition is at {one.where}"


class Files(dw.Resource):
    path: str
    token: str = "none"


def test_resources_are_shown_by_their_location_and_used_by_none() -> None:
    files = Files(path="https://me:canary@example.org")

    joined = join({"a": told("a", asset("x"), resources={"files": files})}, {})

    resource = joined.definitions.resources["a.files"]
    assert type(resource).__name__ == "Files"
    assert next((each.name, each.shown) for each in resource.shown()) == ("path", "https://me:**********@example.org")


def test_a_plan_is_cut_into_as_few_strata_as_its_locations_allow() -> None:
    joined: Joined = join(
        {
            "a": told("a", asset("a1"), asset("a2", "a1"), asset("a3", "b1"), asset("a4")),
            "b": told("b", asset("b1", "a2"), asset("b2")),
        },
        {},
    )
    graph = build_graph(joined.definitions, NOW)

    cut = strata(graph, graph.nodes)

    assert [(each.level, each.location, sorted(map(str, each.assets))) for each in cut] == [
        (0, "a", ["a1", "a2", "a4"]),
        (0, "b", ["b2"]),
        (1, "b", ["b1"]),
        (2, "a", ["a3"]),
    ]
