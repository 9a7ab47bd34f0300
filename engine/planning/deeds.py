"""Deeds: what commits did to partitions and who made them, in words."""

from __future__ import annotations

from collections.abc import Collection

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.planning.graph import Node
from deltaworks.engine.planning.state import AssetState
from deltaworks.io.record import Kind


def place(node: Node) -> str:
    """Say where a table lies that others write; nothing of any other."""
    return f" in {node.asset.location}" if node.asset.kind is AssetKind.EXTERNAL else ""


def not_kept(node: Node) -> str:
    """Say what of a source cannot be read again as it was, since only its versions are kept."""
    read = "its files are read as they are" if node.asset.files is not None else "its data is read as it is"
    return f"of {node.key} only versions are kept; {read} now, and may have changed since"


def never_made(node: Node, state: AssetState) -> str:
    """Say why a partition is missing that no commit ever changed, as far as is known."""
    if state.fault is not None:
        return f"the table{place(node)} cannot be read"
    if node.asset.kind is AssetKind.SOURCE:
        return "never observed"
    if node.asset.kind is not AssetKind.EXTERNAL:
        return "never materialized"
    return (
        f"there is no Delta table at {node.asset.location}" if state.version is None else f"never written{place(node)}"
    )


def own_deed(kind: Kind | None, *, is_gone: bool) -> str:
    """Say what was done to a partition that no call of its function made; `kind` is none for what others did."""
    match kind:
        case Kind.WIPE:
            return "wiped"
        case Kind.ROLLBACK:
            return "rolled back to nothing" if is_gone else "rolled back"
        case Kind.OBSERVE:
            return "observed to be gone"
        case _:
            return "emptied" if is_gone else "written"


def upstream_deed(kinds: Collection[Kind | None], *, are_gone: bool) -> str:
    """Say what happened to upstream partitions by commits of these kinds, if it is the same for all of them."""
    match list(dict.fromkeys(kinds)):
        case [Kind.WIPE]:
            return "was wiped"
        case [Kind.ROLLBACK]:
            return "was rolled back"
        case [Kind.OBSERVE]:
            return f"was observed to {'be gone' if are_gone else 'have changed'}"
        case _:
            return "was emptied" if are_gone else "changed"


def at_versions(state: AssetState, versions: set[int]) -> str:
    """Say at which versions something changed and who made them; the last writer, if there are several."""
    writers = {str(state.writers[version]) for version in versions}
    last = "last " if len(writers) > 1 else ""
    return f"at {spelled(versions)} {last}by {state.writers[max(versions)]}"


def spelled(versions: set[int]) -> str:
    """Spell versions as a range."""
    least, most = min(versions), max(versions)
    return f"version {most}" if least == most else f"versions {least} to {most}"
