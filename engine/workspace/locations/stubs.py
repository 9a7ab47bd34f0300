"""Stubs: the definitions of a code location as other processes have them, from what it tells of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.asset_check import AssetCheck
from deltaworks.engine.definitions.definitions import AnyJob, Definitions
from deltaworks.engine.definitions.mappings.declared import FromDimension, FunctionMapping, MultiMapping
from deltaworks.engine.definitions.resources import Resource, ShownValue
from deltaworks.engine.definitions.shared_call import SharedCall
from deltaworks.engine.definitions.signature import Signature
from deltaworks.engine.workspace.locations.description import Description, ShownResource
from deltaworks.engine.workspace.locations.values import Absent

Ask = Callable[[str, str], Any]
"""Asks a function of the location, by its address, about a key."""


class ShownElsewhere(Resource):
    """A resource of another code location: what may be seen of it, and nothing to use."""

    def shown(self) -> Iterator[ShownValue]:
        """Yield the fields as their own process has shown them."""
        yield from _SHOWN[type(self)]


_SHOWN: dict[type[Resource], tuple[ShownValue, ...]] = {}


def stubs(found: Description, ask: Ask) -> Definitions:
    """Return the definitions of a location without their code."""
    shared: dict[str, SharedCall] = {}
    jobs: dict[str, AnyJob] = {job.name: job for job in found.jobs}
    definitions = Definitions(
        (_asset(asset, shared, ask) for asset in found.assets),
        {each.name: _resource(each) for each in found.resources},
        (_check(check, ask) for check in found.checks),
        jobs.values(),
        (replace(each, job=jobs[each.job.name]) for each in found.schedules),
        (replace(each, job=None if each.job is None else jobs[each.job.name]) for each in found.sensors),
    )
    definitions.repositories = found.repositories
    return definitions


def _asset(asset: Asset[..., Any], shared: dict[str, SharedCall], ask: Ask) -> Asset[..., Any]:
    call = None if asset.shared is None else shared.setdefault(asset.shared.name, asset.shared)
    return replace(asset, signature=_asking(asset.signature, ask), shared=call)


def without_asking(asset: Asset[..., Any]) -> Asset[..., Any]:
    """Return an asset of another location for one that only reads it: it is not told how its partitions are made."""
    return replace(asset, signature=replace(asset.signature, upstreams=()), shared=None)


def _check(check: AssetCheck, ask: Ask) -> AssetCheck:
    return replace(check, signature=_asking(check.signature, ask))


def _asking(signature: Signature, ask: Ask) -> Signature:
    """Return a signature whose mappings ask the functions that they are."""
    if not any(isinstance(each.mapping, FunctionMapping | MultiMapping) for each in signature.upstreams):
        return signature
    return replace(
        signature,
        upstreams=tuple(replace(each, mapping=_mapping(each.mapping, ask)) for each in signature.upstreams),
    )


def _mapping(mapping: Any, ask: Ask) -> Any:
    match mapping:
        case FunctionMapping(function=Absent() as function):
            return FunctionMapping(function.asked_by(ask))
        case MultiMapping(dimensions=dimensions):
            found = MultiMapping({})
            asking = tuple(
                (name, FromDimension(_mapping(each.mapping, ask), each.downstream)) for name, each in dimensions
            )
            object.__setattr__(found, "dimensions", asking)
            return found
        case _:
            return mapping


def _resource(found: ShownResource) -> Resource:
    kind: type[Resource] = type(found.kind, (ShownElsewhere,), {"__module__": __name__})
    _SHOWN[kind] = found.values
    return kind()
