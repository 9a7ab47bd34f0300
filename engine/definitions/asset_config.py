"""AssetConfig: what the function of an asset takes from the config of a run, and whether it can."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema

from deltaworks.engine.definitions.ops.config import Config, secret_problem
from deltaworks.io.dtypes import Json

if TYPE_CHECKING:
    from deltaworks.engine.definitions.asset import Asset


def config_values(config: Config) -> Json:
    """Return the fields of a config as the ledger keeps them."""
    return config.model_dump(mode="json")


def config_hash(values: Json) -> str:
    """Return what stands for a config in a record."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def default_config(asset: Asset[..., Any]) -> Config | None:
    """Return what an asset is given if a run says nothing; none: it takes no config, or a field has no default."""
    model = asset.signature.config_model
    if asset.config is not None or model is None:
        return asset.config
    try:
        return model()
    except ValidationError:
        return None


def counting_hash(asset: Asset[..., Any]) -> str | None:
    """Return the hash that the project's own config has; none: a change of it makes nothing stale."""
    if asset.foreign is not None:
        return asset.foreign.config_hash
    config = default_config(asset) if asset.config_counts else None
    return None if config is None else config_hash(config_values(config))


def config_problem(asset: Asset[..., Any]) -> str | None:
    """Say why what an asset says about its config makes no sense; none: it does."""
    model = asset.signature.config_model
    if model is None:
        given = "config" if asset.config is not None else "config_counts" if asset.config_counts else None
        return f"it is given {given}=, but the function has no argument that is a Config" if given else None
    if asset.config is not None and not isinstance(asset.config, model):
        return f"it is given a {type(asset.config).__name__}, but the function takes a {model.__name__}"
    if asset.config_counts and default_config(asset) is None:
        return (
            f"config_counts=True compares with what the project says, but {model.__name__} has a field without a "
            f"default; give config={model.__name__}(...)"
        )
    try:
        model.model_json_schema()
    except PydanticInvalidForJsonSchema as error:
        return f"{model.__name__} has a field that the ledger cannot keep as JSON: {error}"
    return secret_problem(model)
