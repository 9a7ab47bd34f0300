"""AssetConfig: what a run's config says to each asset, validated before anything starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.asset_config import config_values, default_config
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.job_config import ConfigLayer, Values, fields_at, merged_fields, validated
from deltaworks.errors import RequestError, did_you_mean
from deltaworks.io.dtypes import Json


def resolve_asset_config(
    graph: AssetGraph, planned: Iterable[AssetKey], given: Sequence[ConfigLayer]
) -> dict[str, Json]:
    """Return the config of every asset that takes one and is planned, or that a layer is about, by `config_name`.

    Later layers override earlier ones, and all what the project says.

    Raises:
        RequestError: a layer names no asset that takes config or no field, a value does not fit, or one is missing.
    """
    taking = _taking(graph)
    layers = [ConfigLayer(layer.origin, dict(_by_asset(layer, layer.values, taking))) for layer in given]
    wanted = {graph.nodes[key].asset.config_name for key in planned}.union(*(layer.values for layer in layers))
    return {name: _of_asset(asset, layers) for name, asset in taking.items() if name in wanted}


def refuse_unknown(graph: AssetGraph, layer: ConfigLayer) -> None:
    """Refuse config for what takes none; what its fields are, is seen when a run gives the rest.

    Raises:
        RequestError: it names no asset that takes config.
    """
    list(_by_asset(layer, layer.values, _taking(graph)))


def _taking(graph: AssetGraph) -> dict[str, Asset[..., Any]]:
    return {node.asset.config_name: node.asset for node in graph.nodes.values() if node.asset.signature.config_model}


def _by_asset(
    layer: ConfigLayer, values: Values, taking: Mapping[str, Asset[..., Any]], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Yield what a layer says by asset; a key with dots in it is a way through several levels."""
    for name, value in values.items():
        path = f"{prefix}{name}"
        if path in taking:
            yield path, value
        elif isinstance(value, Mapping) and any(each.startswith(f"{path}.") for each in taking):
            yield from _by_asset(layer, cast("Values", value), taking, f"{path}.")
        else:
            takes = f" Assets that take config are {', '.join(taking)}." if taking else " None takes config."
            hint = did_you_mean(path, taking, otherwise=takes)
            raise RequestError(f"{layer.origin}: there is no asset {path!r} that takes config.{hint}")


def _of_asset(asset: Asset[..., Any], layers: Sequence[ConfigLayer]) -> Json:
    model, base, path = asset.signature.config_model, default_config(asset), (asset.config_name,)
    assert model is not None, "only assets that take a config have one"
    found = [fields_at(layer, path) for layer in layers]
    if base is None or any(found):
        values = merged_fields(model, [{} if base is None else base.model_dump(), *found])
        base = validated(model, values, f"asset {asset.config_name!r}", path, layers)
    return config_values(base)
