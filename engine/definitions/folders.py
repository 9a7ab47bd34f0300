"""Folders: the groups and keys that assets have by where their files lie, for a package that is loaded as a whole."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.asset_check import AssetCheck
from deltaworks.engine.definitions.automation.sensor import CommitsOf, Sensor
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.resolution import dynamic_dimensions
from deltaworks.engine.definitions.shared_call import SharedCall
from deltaworks.engine.definitions.signature import Signature
from deltaworks.errors import InvalidDefinition, Place

DEFAULT_GROUP = "default"
"""That of assets that name none."""


@dataclass(frozen=True, slots=True)
class Placing:
    """How assets are called by their folders."""

    root: Path | None
    """The folder below which theirs are told; none: folders say nothing."""
    group: str | None = None
    """That of assets that name none."""
    prefix: str | None = None
    """What all keys begin with."""
    groups_by_folder: bool = False
    prefixes_by_folder: bool = False

    def folder(self, where: Place) -> str:
        """Return the folder of a file, below the root: `raw/eu`; nothing: it lies in the root, or elsewhere."""
        file = Path(where.file)
        if self.root is None or not file.is_relative_to(self.root):
            return ""
        return file.parent.relative_to(self.root).as_posix().removeprefix(".")

    def key(self, asset: Asset[..., Any]) -> AssetKey:
        """Return the key that an asset gets.

        Raises:
            InvalidDefinition: it cannot be a key.
        """
        folder = self.folder(asset.where) if self.prefixes_by_folder else ""
        try:
            return AssetKey("/".join(part for part in (self.prefix, folder, str(asset.key)) if part))
        except InvalidDefinition as error:
            raise InvalidDefinition(error.reason, where=asset.where, asset=str(asset.key)) from error

    def group_of(self, asset: Asset[..., Any]) -> str:
        """Return the group that an asset gets."""
        folder = self.folder(asset.where) if self.groups_by_folder else ""
        return asset.group if asset.group != DEFAULT_GROUP else folder or self.group or asset.group


@dataclass(frozen=True, slots=True)
class Placed:
    """What was given other keys and groups."""

    assets: tuple[Asset[..., Any], ...]
    checks: tuple[AssetCheck, ...]
    sensors: tuple[Sensor, ...]


def modules_below(package: ModuleType) -> Iterator[ModuleType]:
    """Import a package's modules and those in the folders below it, in the order of their names, and yield each.

    Raises:
        InvalidDefinition: it is no package. Whatever a module raises while it is imported.
    """
    folders: Iterable[str] | None = getattr(package, "__path__", None)
    if folders is None:
        raise InvalidDefinition(f"{package.__name__} is a module, not a package; use Definitions.from_module")
    yield package
    for path in sorted(path for folder in folders for path in Path(folder).iterdir()):
        if path.stem.isidentifier() and not path.stem.startswith("__"):
            if path.suffix == ".py":
                yield importlib.import_module(f"{package.__name__}.{path.stem}")
            elif path.is_dir() and any(path.rglob("*.py")):  # with or without an __init__.py
                yield from modules_below(importlib.import_module(f"{package.__name__}.{path.name}"))


def place(
    assets: Iterable[Asset[..., Any]], checks: Iterable[AssetCheck], sensors: Iterable[Sensor], placing: Placing
) -> Placed:
    """Give assets the keys and groups of their folders, and let what reads them by name read them still.

    A name that several of them had means the one of the reader's own folder.

    Raises:
        InvalidDefinition: a name means several of them, or partitions follow an asset whose key changes.
    """
    known = list(assets)
    keys = {id(asset): placing.key(asset) for asset in known}
    names = _Names(known, keys, placing)
    for asset in known:
        names.refuse_following(asset)
    shared: dict[int, SharedCall] = {}

    def call(asset: Asset[..., Any]) -> SharedCall | None:
        if asset.shared is None:
            return None
        found = {output: names.meant(key, asset.where, asset) for output, key in asset.shared.keys.items()}
        return shared.setdefault(id(asset.shared), replace(asset.shared, keys=found))

    return Placed(
        tuple(
            replace(
                asset,
                key=keys[id(asset)],
                group=placing.group_of(asset),
                signature=_read(asset.signature, partial(names.meant, where=asset.where, who=asset)),
                shared=call(asset),
            )
            for asset in known
        ),
        tuple(
            replace(
                check,
                asset=names.meant(check.asset, check.where, check),
                signature=_read(check.signature, partial(names.meant, where=check.where, who=check)),
            )
            for check in checks
        ),
        tuple(_watching(sensor, names) for sensor in sensors),
    )


class _Names:
    """What the names mean that assets had."""

    def __init__(self, assets: Iterable[Asset[..., Any]], keys: Mapping[int, AssetKey], placing: Placing) -> None:
        self._placing = placing
        self._new: dict[AssetKey, dict[str, AssetKey]] = {}
        """By old key and folder."""
        for asset in assets:
            self._new.setdefault(asset.key, {}).setdefault(placing.folder(asset.where), keys[id(asset)])

    def meant(self, key: AssetKey, where: Place, who: object) -> AssetKey:
        """Return the key that a name stands for now where it is read."""
        found = self._new.get(key)
        if found is None:
            return key  # that of another unit, or a whole key
        here = self._placing.folder(where)
        if here in found:
            return found[here]
        if len(set(found.values())) > 1:
            which = ", ".join(map(str, sorted(set(found.values()))))
            raise InvalidDefinition(
                f"{who!r} reads {str(key)!r}, which is {which} by folder; name one of them with Input(asset=...)",
                where=where,
            )
        return next(iter(found.values()))

    def refuse_following(self, asset: Asset[..., Any]) -> None:
        """Refuse partitions that follow the column of an asset which is called otherwise now."""
        for dimension in dynamic_dimensions(asset.partitions):
            if dimension.upstream is not None and self._new.get(dimension.upstream):
                new = self.meant(dimension.upstream, asset.where, asset)
                if new != dimension.upstream:
                    raise InvalidDefinition(
                        f"asset {str(asset.key)!r}: its partitions follow {str(dimension.upstream)!r}, which is called "
                        f"{str(new)!r} by its prefix; name it so",
                        where=asset.where,
                        asset=str(asset.key),
                    )


def _read(signature: Signature, meant: Callable[[AssetKey], AssetKey]) -> Signature:
    return replace(signature, upstreams=tuple(replace(each, key=meant(each.key)) for each in signature.upstreams))


def _watching(sensor: Sensor, names: _Names) -> Sensor:
    if not isinstance(sensor.watches, CommitsOf):
        return sensor
    assets = tuple(names.meant(key, sensor.where, sensor) for key in sensor.watches.assets)
    return replace(sensor, watches=replace(sensor.watches, assets=assets))
