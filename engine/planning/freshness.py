"""Freshness: how far tables lag behind what their data comes from, and whether that is more than they may.

Pure: the state of the lake, its past commits and the time are given. `docs/freshness.md` has the definition.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import cast

from deltaworks.engine.definitions.freshness import FreshnessPolicy
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.latest_window import latest_window
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.lacking import LONG_AGO, Lacking, Past, ends_of, is_root, oldest_lacking
from deltaworks.engine.planning.state import AssetState, LakeState


class Verdict(StrEnum):
    """What can be said of an asset at a moment."""

    ON_TIME = "on time"
    """It lags no more than it may."""
    LATE = "late"
    """It lags more than it may."""
    UNKNOWN = "unknown"
    """Nobody can tell; `reason` says why."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far an asset lags behind what its data comes from."""

    asset: AssetKey
    policy: FreshnessPolicy
    """The one in force."""
    derived_from: AssetKey | None
    """Whose policy it is, if it is that of a downstream."""
    at: dt.datetime
    """When this is so."""
    measured: PartitionSet
    """The partitions that it is about: those of the latest window."""
    since: dt.datetime | None
    """Since when something is not included; none: everything is."""
    due_at: dt.datetime | None
    """From when on it has to be included; none: everything is, or no tick asks for it."""
    lacking: Lacking | None = None
    """What is not included; none: everything is, or it is a root, which includes what its last commit brought."""
    reason: str | None = None
    """Why nobody can tell; none: it can be told."""

    @property
    def verdict(self) -> Verdict:
        """Whether it is late."""
        if self.reason is not None:
            return Verdict.UNKNOWN
        return Verdict.LATE if self.is_late else Verdict.ON_TIME

    @property
    def is_late(self) -> bool:
        """Whether something is not included that has to be."""
        return self.due_at is not None and self.due_at <= self.at

    @property
    def lag(self) -> dt.timedelta:
        """For how long something is not included."""
        return dt.timedelta() if self.since is None else max(dt.timedelta(), self.at - self.since)


def freshness(
    graph: AssetGraph,
    state: LakeState,
    past: Past,
    now: dt.datetime,
    assets: Iterable[AssetKey] | None = None,
) -> dict[AssetKey, Freshness]:
    """Return how fresh assets are that have a policy, or take one from what is made from them.

    Args:
        graph: the assets.
        state: what the lake's logs say now.
        past: what they said before.
        now: the moment.
        assets: those that are asked about; none: all.

    Raises:
        StorageError: a commit cannot be read.
    """
    found: dict[AssetKey, Freshness] = {}
    for key in graph.nodes if assets is None else assets:
        policies = policies_of(graph, key)
        if policies:
            found[key] = _freshness(graph, state, past, now, key, policies)
    return found


def policies_of(graph: AssetGraph, key: AssetKey) -> dict[AssetKey, FreshnessPolicy]:
    """Return the policies that hold for an asset, by whose they are: its own, or those of its downstreams."""
    own = graph.nodes[key].asset.freshness
    if own is None:
        return {}
    if not own.is_derived:
        return {key: own}
    found: dict[AssetKey, FreshnessPolicy] = {}
    below, seen = [key], {key}
    while below:
        for edge in graph.downstream[below.pop()]:
            if edge.downstream not in seen:
                seen.add(edge.downstream)
                below.append(edge.downstream)
                policy = graph.nodes[edge.downstream].asset.freshness
                if policy is not None and not policy.is_derived:
                    found[edge.downstream] = policy
    return found


def _freshness(
    graph: AssetGraph,
    state: LakeState,
    past: Past,
    now: dt.datetime,
    key: AssetKey,
    policies: Mapping[AssetKey, FreshnessPolicy],
) -> Freshness:
    node = graph.nodes[key]
    own = node.asset.freshness
    assert own is not None, "it has a policy"
    measured = latest_window(node.partitions, own.lookback, now)
    strictest = partial(_strictest, policies)
    reason = _unknown(graph, state, node, measured)
    if reason is not None:
        whose, _ = strictest(now)
        return Freshness(key, policies[whose], _other(whose, key), now, measured, None, None, reason=reason)
    lacking: Lacking | None = None
    if is_root(node):
        since = _root_since(node, state[key], past, measured)
    else:
        lacking = oldest_lacking(graph, state, past, key, measured)
        since = None if lacking is None else lacking.since
    whose, due_at = strictest(now if since is None else since)
    due_at = None if since is None else due_at
    return Freshness(key, policies[whose], _other(whose, key), now, measured, since, due_at, lacking)


def _strictest(policies: Mapping[AssetKey, FreshnessPolicy], since: dt.datetime) -> tuple[AssetKey, dt.datetime | None]:
    """Return whose policy asks first for a commit of an instant, and when."""
    due = {key: policy.due_at(since) for key, policy in policies.items()}
    return min(due.items(), key=lambda each: (each[1] is None, each[1] or LONG_AGO))


def _other(whose: AssetKey, key: AssetKey) -> AssetKey | None:
    return None if whose == key else whose


def _unknown(graph: AssetGraph, state: LakeState, node: Node, measured: PartitionSet) -> str | None:
    """Say why nobody can tell how far an asset lags; none: it can be told."""
    faults = [key for key in graph.nodes if state[key].fault is not None]
    faulty = next((key for key in graph.above((node.key,)) if key in faults), None) if faults else None
    if faulty is not None:
        return f"{faulty} cannot be read"
    if not measured:
        return "no window of its partitions is over yet" if node.partitions.dimensions else "it has no partition"
    if is_root(node) and not _has_windows(node, measured) and not (measured & PartitionSet(state[node.key].exists)):
        return "nothing has ever been committed to it"
    return None


def _has_windows(node: Node, measured: PartitionSet) -> bool:
    return all(end != LONG_AGO for end, _ in ends_of(node.partitions, measured))


def _root_since(node: Node, state: AssetState, past: Past, measured: PartitionSet) -> dt.datetime | None:
    """Return since when a root has brought nothing.

    Windows of time that are over and not there are lacking since their end. What is no time is as old as its last
    commit; of several partitions, the one counts that was committed to longest ago.
    """
    there = PartitionSet(state.exists)
    if _has_windows(node, measured):
        return next((end for end, _ in ends_of(node.partitions, measured - there)), None)
    version = cast("int", state.columns["version"].filter((measured & there).mask).min())
    changed = past.commit(node.key, version)
    return None if changed is None else changed.at
