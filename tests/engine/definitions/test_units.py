"""Units: definitions by module, by package and by repository, and what folders say about them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType

import pytest

import deltaworks as dw
from deltaworks.engine.workspace.loading import load_modules
from deltaworks.errors import DefinitionError, InvalidDefinition

TABLE = """
import deltaworks as dw
import polars as pl

@dw.asset
def {name}({upstream}) -> pl.LazyFrame:
    return pl.LazyFrame()
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Callable[[dict[str, str]], ModuleType]]:
    """Write a package of some files, and import it."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(files: dict[str, str]) -> ModuleType:
        for name, text in files.items():
            path = tmp_path / "shop" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            (path.parent / "__init__.py").touch()
        (tmp_path / "shop" / "__init__.py").touch()
        importlib.invalidate_caches()
        return importlib.import_module("shop")

    yield write
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("shop", "units"):
            del sys.modules[name]


def keys(definitions: dw.Definitions) -> dict[str, str]:
    return {str(asset.key): asset.group for asset in definitions.assets}


def reads(definitions: dw.Definitions, key: str) -> list[str]:
    (asset,) = (each for each in definitions.assets if str(each.key) == key)
    return [str(upstream.key) for upstream in asset.signature.upstreams]


def test_a_package_is_loaded_whole_with_groups_and_prefixes_by_folder(package) -> None:
    shop = package(
        {
            "raw/eu/orders.py": TABLE.format(name="orders", upstream=""),
            "raw/us/orders.py": TABLE.format(name="orders", upstream=""),
            "raw/us/totals.py": TABLE.format(name="totals", upstream="orders: pl.LazyFrame"),
            "mart.py": TABLE.format(name="report", upstream="totals: pl.LazyFrame"),
        }
    )

    found = dw.Definitions.from_package(shop, group_by_folder=True, prefix_by_folder=True, prefix="shop")

    assert keys(found) == {
        "shop/report": "default",
        "shop/raw/eu/orders": "raw/eu",
        "shop/raw/us/orders": "raw/us",
        "shop/raw/us/totals": "raw/us",
    }
    assert reads(found, "shop/raw/us/totals") == ["shop/raw/us/orders"]
    assert reads(found, "shop/report") == ["shop/raw/us/totals"]


def test_a_name_that_means_several_is_refused(package) -> None:
    shop = package(
        {
            "eu/orders.py": TABLE.format(name="orders", upstream=""),
            "us/orders.py": TABLE.format(name="orders", upstream=""),
            "mart.py": TABLE.format(name="report", upstream="orders: pl.LazyFrame"),
        }
    )

    with pytest.raises(InvalidDefinition, match=r"mart.py:5: .* reads 'orders', which is eu/orders, us/orders by fold"):
        dw.Definitions.from_package(shop, prefix_by_folder=True)
    with pytest.raises(InvalidDefinition, match=r"orders' is defined twice; the other definition is at .*orders.py:5"):
        dw.Definitions.from_package(shop)


def test_what_goes_with_an_asset_follows_its_new_key(package) -> None:
    shop = package(
        {
            "raw/tables.py": TABLE.format(name="orders", upstream="")
            + """
@dw.asset_check(asset=orders)
def some(result: pl.LazyFrame) -> bool:
    return True

@dw.multi_asset(outs={"a": dw.AssetSpec(), "b": dw.AssetSpec()})
def both(orders: pl.LazyFrame):
    return pl.LazyFrame(), pl.LazyFrame()

every = dw.define_asset_job("every")

@dw.asset_sensor(asset=orders, job=every)
def on_orders(commits: dw.Commits) -> dw.RunRequest:
    return dw.RunRequest()
"""
        }
    )

    found = dw.Definitions.from_package(shop, prefix_by_folder=True)

    assert [str(check.key) for check in found.checks] == ["raw/orders:some"]
    assert set(keys(found)) == {"raw/orders", "raw/a", "raw/b"}
    a, b = (each for each in found.assets if each.shared is not None)
    assert a.shared is b.shared is not None
    assert {str(key) for key in a.shared.keys.values()} == {"raw/a", "raw/b"}
    assert [str(key) for key in found.sensors["on_orders"].watches.assets] == ["raw/orders"]


def test_a_module_gives_its_assets_a_group_and_a_prefix(package) -> None:
    package({"tables.py": TABLE.format(name="orders", upstream="")})

    found = dw.Definitions.from_module(importlib.import_module("shop.tables"), group="sales", prefix="raw")

    assert keys(found) == {"raw/orders": "sales"}


def test_a_module_that_is_no_package_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match="is a module, not a package"):
        dw.Definitions.from_package(sys.modules[__name__])


def test_repositories_of_a_module_are_loaded_together_and_nothing_else_of_it(package, tmp_path) -> None:
    (tmp_path / "units.py").write_text(
        TABLE.format(name="orders", upstream="")
        + """
@dw.asset
def forgotten() -> pl.LazyFrame:
    return pl.LazyFrame()

@dw.repository
def sales():
    "What was sold."
    return [orders, [dw.define_asset_job("every")]]

@dw.repository(name="other")
def _other():
    return dw.Definitions()
""",
        encoding="utf-8",
    )

    found = load_modules(["units"], tmp_path)

    assert keys(found) == {"orders": "default"}
    assert [(each.name, each.description, each.assets) for each in found.repositories] == [
        ("sales", "What was sold.", ("orders",)),
        ("other", "", ()),
    ]


def test_a_repository_of_something_else_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidDefinition, match=r"test_units.py:\d+: repository 'odd' returned a dict; expected Defin"):

        @dw.repository
        def odd() -> dict[str, int]:
            return {}

    with pytest.raises(InvalidDefinition, match="3 is none of what Definitions are made of"):

        @dw.repository
        def numbers() -> list[int]:
            return [3]


def test_two_definitions_of_one_module_must_be_joined(package, tmp_path) -> None:
    (tmp_path / "units.py").write_text("import deltaworks as dw\na = dw.Definitions()\nb = dw.Definitions()\n")

    with pytest.raises(DefinitionError, match="has 2 Definitions; join them with"):
        load_modules(["units"], tmp_path)


def test_a_resource_that_two_modules_define_is_refused_with_both_places(package) -> None:
    kind = "import deltaworks as dw\n\nclass Files(dw.Resource):\n    path: str\n"
    shop = package(
        {
            "kinds.py": kind,
            "a.py": "from shop.kinds import Files\n\nfiles = Files(path='a')\n",
            "b.py": "from shop.kinds import Files\n\n\nfiles = Files(path='b')\n",
        }
    )

    with pytest.raises(InvalidDefinition, match=r"b.py:4: resource 'files' is defined twice.* is at .*a.py:3"):
        dw.Definitions.from_package(shop)
