"""Selection: which assets a command means.

Several arguments mean their union; none means every asset. `selection_syntax` tells what one argument may say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cached_property

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.selection_syntax import And, Attribute, Expression, Having, Name, Not, Or, Reach, parse
from deltaworks.engine.planning.status import LakeStatus, Status
from deltaworks.errors import RequestError, UnknownAsset, did_you_mean

_KINDS = tuple(kind for kind in AssetKind if kind is not AssetKind.CHECK)
_STATUSES = (*(status.word for status in Status), "failed")
_NOBODY = {
    Attribute.GROUP: "No asset is in group",
    Attribute.TAG: "No asset has the tag",
    Attribute.OWNER: "No asset has the owner",
}


def select(
    graph: AssetGraph, arguments: Sequence[str], status: Callable[[], LakeStatus] | None = None
) -> tuple[AssetKey, ...]:
    """Return the selected assets that have tables, upstreams first; there may be none.

    Args:
        graph: all assets.
        arguments: what was written, each in the selection syntax.
        status: reads the lake, if an argument asks for a status; none: no argument may.

    Raises:
        UnknownAsset: an argument names an asset that is not defined.
        RequestError: an argument does not follow the syntax, or names a group, a tag or the like that no asset has; or
            all that is selected are views.
    """
    chosen = select_every(graph, arguments, status)
    stored = tuple(key for key in chosen if key in graph.nodes)
    if chosen and not stored:
        which, it, their = (" is a view", "it", "its") if len(chosen) == 1 else (" are views", "they", "their")
        raise RequestError(
            f"{', '.join(map(str, chosen))}{which}: nothing is stored, so there is nothing to make and no status; "
            f"{it} {'is' if it == 'it' else 'are'} computed when {their} readers are made, `{chosen[0]}+`."
        )
    return stored


def select_every(
    graph: AssetGraph, arguments: Sequence[str], status: Callable[[], LakeStatus] | None = None
) -> tuple[AssetKey, ...]:
    """Return the selected assets and views, upstreams first; see `select`. Without arguments, the graph's scope is."""
    if not arguments:
        return tuple(key for key in graph.every if graph.scope is None or key in graph.scope)
    expressions = [parse(argument) for argument in arguments]
    chosen = _Meaning(graph, status).of(Or(tuple(expressions)))
    return tuple(key for key in graph.every if key in chosen)


class _Meaning:
    """What expressions mean in a graph."""

    def __init__(self, graph: AssetGraph, status: Callable[[], LakeStatus] | None) -> None:
        self._graph, self._read_status = graph, status
        self._keys = {str(key): key for key in graph.every}
        self._every = frozenset(graph.every)

    def of(self, expression: Expression) -> frozenset[AssetKey]:
        match expression:
            case Name(text):
                return self._named(text)
            case Having(attribute, value):
                return self._having(attribute, value)
            case Reach(inner, above, below):
                return self._reach(self.of(inner), above, below)
            case Not(inner):
                return self._every - self.of(inner)
            case And(operands):
                return self._every.intersection(*map(self.of, operands))
            case Or(operands):
                return frozenset[AssetKey]().union(*map(self.of, operands))

    def _named(self, text: str) -> frozenset[AssetKey]:
        if text in self._keys:
            return frozenset({self._keys[text]})
        if not any(sign in text for sign in "*?["):
            names = [name.strip() for name in text.split(",")]
            if len(names) > 1 and all(name in self._keys for name in names if name):
                hint = f"several assets are separate arguments, `{' '.join(filter(None, names))}`"
                raise RequestError(f"Selection {text!r} has a comma: {hint}.")
            raise UnknownAsset(text, self._keys)
        chosen = frozenset(key for name, key in self._keys.items() if fnmatchcase(name, text))
        if not chosen:
            raise RequestError(f"No asset matches {text!r}. `deltaworks list` shows what is defined.")
        return chosen

    def _having(self, attribute: Attribute, value: str) -> frozenset[AssetKey]:
        known = {Attribute.KIND: _KINDS, Attribute.STATUS: _STATUSES}.get(attribute)
        if known is not None and value not in known:
            raise RequestError(f"There is no {attribute} {value!r}; known are {', '.join(known)}.")
        values = {key: self._values(attribute, node) for key, node in self._graph.every.items()}
        chosen = frozenset(key for key, found in values.items() if value in found)
        if known is None and not chosen:
            hint = did_you_mean(
                value, sorted(set[str]().union(*values.values())), " `deltaworks list --json` shows what there is."
            )
            raise RequestError(f"{_NOBODY[attribute]} {value!r}.{hint}")
        return chosen

    def _values(self, attribute: Attribute, node: Node) -> Iterable[str]:
        """Return everything that selects an asset by an attribute."""
        asset = node.asset
        match attribute:
            case Attribute.GROUP:
                return (asset.group,)
            case Attribute.TAG:
                return (*asset.tags, *(f"{tag}={value}" for tag, value in asset.tags.items()))
            case Attribute.OWNER:
                return asset.owners
            case Attribute.KIND:
                return (asset.kind,)
            case Attribute.STATUS if asset.kind is AssetKind.VIEW:
                return ()
            case Attribute.STATUS:
                found = self._status[node.key]
                words = [status.word for status in Status if found.having(status)]
                return (*words, "failed") if found.state.failed else words

    @cached_property
    def _status(self) -> LakeStatus:
        if self._read_status is None:
            raise RequestError("Nothing can be selected by status: here, where no lake is read.")
        return self._read_status()

    def _reach(self, start: frozenset[AssetKey], above: int | None, below: int | None) -> frozenset[AssetKey]:
        read = {key: [edge.upstream for edge in node.reads] for key, node in self._graph.every.items()}
        readers: dict[AssetKey, list[AssetKey]] = {key: [] for key in read}
        for key, keys in read.items():
            for upstream in keys:
                readers[upstream].append(key)
        upstreams = _levels(start, above, lambda key: read[key])
        downstreams = _levels(start, below, lambda key: readers[key])
        return upstreams | downstreams


def _levels(
    start: frozenset[AssetKey], levels: int | None, neighbours: Callable[[AssetKey], Iterable[AssetKey]]
) -> frozenset[AssetKey]:
    """Return some assets and those up to so many levels away; none: however far."""
    reached, outermost = set(start), set(start)
    while outermost and levels != 0:
        outermost = {near for key in outermost for near in neighbours(key)} - reached
        reached |= outermost
        levels = None if levels is None else levels - 1
    return frozenset(reached)
