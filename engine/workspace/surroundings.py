"""Surroundings: what a view is made from, where there is no project that would say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.multi_asset import MultiAsset, each_asset
from deltaworks.engine.definitions.resources import Resource
from deltaworks.errors import RequestError


def definitions_around(
    view: Asset[..., Any], given: Iterable[Asset[..., Any]], resources: Mapping[str, Resource]
) -> Definitions:
    """Return a view with all that it is made from, up to the tables that it reads, and all resources at hand.

    What is not given is looked up in the module that defines the view.

    Raises:
        RequestError: something that is read is nowhere.
    """
    around: dict[str, Any] = view.function.__globals__
    found = each_asset(
        cast("Asset[..., Any] | MultiAsset[..., Any]", value)
        for value in around.values()
        if isinstance(value, Asset | MultiAsset)
    )
    assets = {asset.key: asset for asset in (*found, *given)} | {view.key: view}
    needed, waiting = dict[AssetKey, Asset[..., Any]](), [view.key]
    while waiting:
        asset = assets[waiting.pop()]
        needed[asset.key] = asset
        for upstream in asset.signature.upstreams:
            if upstream.key not in assets:
                raise RequestError(
                    f"{asset.kind.capitalize()} {asset.key} is made from {upstream.key}, which its module does not "
                    "have: give dw.read(..., upstream=[...])."
                )
            if upstream.key not in needed:
                waiting.append(upstream.key)
    named = {name: value for name, value in around.items() if isinstance(value, Resource)}
    return Definitions(needed.values(), named | dict(resources))
