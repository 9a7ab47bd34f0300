"""Freshness in sentences: how far an asset lags, what it may, and which commit is not included yet."""

from __future__ import annotations

import datetime as dt

from deltaworks.engine.definitions.freshness import length_text
from deltaworks.engine.planning.freshness import Freshness, Verdict
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.lacking import Lacking, ends_of


def freshness_text(found: Freshness, graph: AssetGraph) -> str:
    """Say how far an asset lags and why, in a sentence without its end."""
    match found.verdict:
        case Verdict.UNKNOWN:
            return f"as fresh as nobody can tell: {found.reason}"
        case Verdict.LATE:
            told = f"late, {length_text(found.lag)} behind ({_asked(found)})"
        case Verdict.ON_TIME:
            behind = f", {length_text(found.lag)} behind" if found.lag else ""
            told = f"on time{behind} ({_asked(found)})"
    cause = cause_text(found, graph)
    return told if cause is None else f"{told}: {cause}"


def cause_text(found: Freshness, graph: AssetGraph) -> str | None:
    """Say what is not included; none: everything is."""
    if found.since is None:
        return None
    if found.lacking is None:
        node, since = graph.nodes[found.asset], f"since {_instant(found.since)} UTC"
        window = next((each for end, each in ends_of(node.partitions, found.measured) if end == found.since), None)
        if window is None:
            return f"nothing has been committed to it {since}"
        return f"{node.spelled(window.ranges())} is over {since} and not there"
    lacking = found.lacking
    what = graph.nodes[lacking.root].spelled(lacking.partitions.ranges())
    by = f" by {lacking.writer}" if lacking.writer else ""
    return (
        f"{what}, committed as version {lacking.version} at {_instant(lacking.at)} UTC{by}, is not included"
        f"{_way_text(lacking)}"
    )


def _asked(found: Freshness) -> str:
    return str(found.policy) if found.derived_from is None else f"{found.policy}, as {found.derived_from} asks"


def _way_text(lacking: Lacking) -> str:
    """Say which versions were read on the way, so that it can be seen where the commit has got stuck."""
    steps: list[str] = []
    for (reader, _), (read, version) in zip(lacking.way, lacking.way[1:], strict=False):
        steps.append(f"{reader} has read {f'version {version}' if version >= 0 else 'nothing'} of {read}")
    return f": {', '.join(steps)}" if steps else ""


def _instant(instant: dt.datetime) -> str:
    return f"{instant.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"
