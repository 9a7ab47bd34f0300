"""Definitions: everything that a project defines, as one unit that is loaded."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from deltaworks.engine.definitions.asset import Asset, AssetKind
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.definitions.signature import place_of
from deltaworks.errors import InvalidDefinition


class Definitions:
    """Assets, views among them, and the resources that they use.

    Raises:
        InvalidDefinition: something given is no asset or no resource, two assets share a key or a folder, or one's
            folder lies inside another's.
    """

    def __init__(self, assets: Iterable[Asset[..., Any]] = (), resources: Mapping[str, Resource] | None = None) -> None:
        self.assets = tuple({id(asset): asset for asset in assets}.values())
        self.resources = dict(resources or {})
        _refuse_others(self.assets, self.resources)
        _refuse_shared_folders(self.assets)

    @classmethod
    def from_module(cls, module: ModuleType, resources: Mapping[str, Resource] | None = None) -> Definitions:
        """Collect the assets that stand in a module's namespace, and its resources by the names they have there."""
        values: dict[str, Any] = vars(module)
        assets: list[Asset[..., Any]] = [value for value in values.values() if isinstance(value, Asset)]
        named = {name: value for name, value in values.items() if isinstance(value, Resource)}
        return cls(assets, named | dict(resources or {}))

    @classmethod
    def merge(cls, *units: Definitions) -> Definitions:
        """Join several units; a resource name given twice must be the same resource."""
        resources: dict[str, Resource] = {}
        for unit in units:
            for name, resource in unit.resources.items():
                if resources.setdefault(name, resource) != resource:
                    raise InvalidDefinition(f"resource {name!r} is defined twice, with different values")
        return cls((asset for unit in units for asset in unit.assets), resources)

    def refuse_missing_resources(self) -> None:
        """Check that every asset gets its resources. Only the whole project can say: modules may share them.

        Raises:
            InvalidDefinition: a resource that an asset asks for is not given.
        """
        for asset in self.assets:
            for argument, wanted in asset.signature.resources.items():
                self.resource(asset, argument, wanted)

    def resource(self, asset: Asset[..., Any], argument: str, wanted: type[Resource]) -> Resource:
        """Return the resource for an argument: the one of its type, and of its name where several have the type.

        Raises:
            InvalidDefinition: there is none, or several and none has the argument's name.
        """
        fitting = {name: resource for name, resource in self.resources.items() if isinstance(resource, wanted)}
        if argument in fitting:
            return fitting[argument]
        if len(fitting) == 1:
            return next(iter(fitting.values()))
        problem = (
            f"resources {', '.join(map(repr, fitting))} all fit; name the argument like one of them"
            if fitting
            else f"there is none; give Definitions(resources={{{argument!r}: {wanted.__name__}(...)}})"
        )
        raise InvalidDefinition(
            f"asset {str(asset.key)!r} asks for a {wanted.__name__} as {argument!r}, but {problem}",
            where=asset.where,
            asset=str(asset.key),
        )


def _refuse_others(assets: Iterable[object], resources: Mapping[str, object]) -> None:
    for asset in assets:
        if not isinstance(asset, Asset):
            where = place_of(asset) if inspect.isfunction(asset) else None
            raise InvalidDefinition(
                f"{asset!r} among the assets is none; decorate its function with @asset", where=where
            )
    for name, resource in resources.items():
        if not isinstance(resource, Resource):
            raise InvalidDefinition(
                f"resource {name!r} must be an instance of a subclass of Resource, not {resource!r}"
            )


def _refuse_shared_folders(assets: tuple[Asset[..., Any], ...]) -> None:
    by_key: dict[str, Asset[..., Any]] = {}
    by_folder: dict[str, Asset[..., Any]] = {}
    for asset in assets:
        other = by_key.setdefault(asset.key.path, asset)
        if other is not asset:
            raise _clash(asset, f"is defined twice; the other definition is at {other.where}")
        if asset.kind is AssetKind.VIEW:
            continue  # it has no folder
        if asset.kind is AssetKind.EXTERNAL:
            other = by_folder.setdefault(str(asset.location), asset)
            if other is not asset:
                raise _clash(asset, f"is the same table, {asset.location}, as {other.key.path!r} ({other.where})")
            continue
        other = by_folder.setdefault(asset.table_name, asset)
        if other is not asset:
            raise _clash(
                asset,
                f"would lie in the same folder, {asset.table_name!r}, as {other.key.path!r} ({other.where}); give one "
                "of them another location",
            )
    for asset in assets:
        has_folder = asset.kind not in (AssetKind.EXTERNAL, AssetKind.VIEW)
        parts = asset.table_name.split("/") if has_folder else ()
        for length in range(1, len(parts)):
            outer = by_folder.get("/".join(parts[:length]))
            if outer is not None:
                raise _clash(
                    asset,
                    f"would lie inside the table of {outer.key.path!r} ({outer.where}); a vacuum of that table would "
                    "delete it, so give one of them another name or location",
                )


def _clash(asset: Asset[..., Any], problem: str) -> InvalidDefinition:
    return InvalidDefinition(f"asset {asset.key.path!r} {problem}", where=asset.where, asset=asset.key.path)
