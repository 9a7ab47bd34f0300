"""Definitions: what a project defines, together."""

from __future__ import annotations

import copy
import inspect
import pickle
from types import ModuleType

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.errors import InvalidDefinition


class Files(dw.Resource):
    path: str


class Mail(dw.Resource):
    host: str


@dw.asset
def flights(files: Files) -> pl.LazyFrame:
    return pl.scan_parquet(files.path)


def named(name: str) -> dw.Asset[..., pl.LazyFrame]:
    @dw.asset(name=name)
    def table() -> pl.LazyFrame:
        return pl.LazyFrame()

    return table


def test_a_key_that_is_defined_twice_is_refused_with_both_places() -> None:
    one, other = named("raw/flights"), flights
    again = named("raw/flights")

    with pytest.raises(InvalidDefinition) as refused:
        dw.Definitions([one, other, again])

    assert str(refused.value) == (
        f"{again.where}: asset 'raw/flights' is defined twice; the other definition is at {one.where}"
    )


def test_the_same_asset_given_twice_is_one() -> None:
    assert dw.Definitions([flights, flights]).assets == (flights,)


@pytest.mark.parametrize("inner", ["raw/flights", "raw/flights/daily"])
def test_a_table_inside_another_is_refused(inner: str) -> None:
    with pytest.raises(
        InvalidDefinition, match=rf"test_definitions.py:\d+: asset '{inner}' would lie inside the table of 'raw'"
    ):
        dw.Definitions([named(inner), named("raw")])


def test_keys_that_only_begin_alike_are_no_trouble() -> None:
    assert len(dw.Definitions([named("raw/a"), named("raw/ab"), named("rawest")]).assets) == 3


def test_a_resource_is_found_by_its_type_and_by_the_arguments_name_among_several() -> None:
    one, other = Files(path="one"), Files(path="other")

    assert dw.Definitions([flights], {"x": one, "mail": Mail(host="h")}).resource(flights, "files", Files) is one
    assert dw.Definitions([flights], {"x": one, "files": other}).resource(flights, "files", Files) is other


def test_a_missing_resource_is_named_with_the_asset() -> None:
    definitions = dw.Definitions([flights], {"mail": Mail(host="h")})

    with pytest.raises(InvalidDefinition) as refused:
        definitions.refuse_missing_resources()

    assert str(refused.value) == (
        f"{flights.where}: asset 'flights' asks for a Files as 'files', but there is none; "
        "give Definitions(resources={'files': Files(...)})"
    )


def test_resources_that_cannot_be_told_apart_are_refused() -> None:
    definitions = dw.Definitions([flights], {"x": Files(path="one"), "y": Files(path="other")})

    with pytest.raises(InvalidDefinition, match="resources 'x', 'y' all fit; name the argument like one of them"):
        definitions.refuse_missing_resources()


def test_modules_may_share_a_resource() -> None:
    tables, settings = ModuleType("tables"), ModuleType("settings")
    tables.flights = flights
    settings.files = Files(path=dw.EnvVar("FLIGHTS"))

    merged = dw.Definitions.merge(dw.Definitions.from_module(tables), dw.Definitions.from_module(settings))

    merged.refuse_missing_resources()
    assert merged.assets == (flights,)


def test_a_resource_name_means_one_resource() -> None:
    def unit(variable: str) -> dw.Definitions:
        return dw.Definitions(resources={"files": Files(path=dw.EnvVar(variable))})

    assert set(dw.Definitions.merge(unit("A"), unit("A")).resources) == {"files"}
    with pytest.raises(InvalidDefinition, match="resource 'files' is defined twice, with different values"):
        dw.Definitions.merge(unit("A"), unit("B"))


def test_a_function_among_the_assets_is_told_to_be_decorated() -> None:
    def plain() -> pl.LazyFrame:
        return pl.LazyFrame()

    with pytest.raises(InvalidDefinition, match="decorate its function with @asset") as refused:
        dw.Definitions([plain])

    assert refused.value.where is not None
    assert refused.value.where.line == inspect.getsourcelines(plain)[1]


def test_a_resource_is_an_instance() -> None:
    with pytest.raises(InvalidDefinition, match="resource 'files' must be an instance of a subclass of Resource"):
        dw.Definitions(resources={"files": Files})


def test_a_variable_of_the_environment_travels() -> None:
    variable = dw.EnvVar("TOKEN")

    assert pickle.loads(pickle.dumps(variable)) == copy.deepcopy(variable) == variable
    assert variable != dw.EnvVar("OTHER")
    assert len({variable, dw.EnvVar("TOKEN")}) == 1
