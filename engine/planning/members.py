"""Members: which upstream partitions an input is made of, where that can change though none of them does.

The last partition of a definition that grows, the specific ones that an author names, all of those whose keys come and
go: every partition is made from the same set, and another set gives another result, however old its members are.
"""

from __future__ import annotations

import hashlib

from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.planning.graph import Edge
from deltaworks.engine.planning.views import cut_between

_DIGEST_BYTES = 8


def members(edge: Edge, upstream: Partitions, there: PartitionSet) -> str | None:
    """Return a digest of the keys that an input reads.

    None: it does not read the same for every partition, it reads a whole table, or it lacks what it needs. Through a
    view that is cut to its partitions, it reads these, too: they may come and go while the table stays as it is.

    Args:
        edge: the input.
        upstream: the partitions that it reads from.
        there: those of them that exist.
    """
    if not edge.correspondence.joins_all or not edge.correspondence.downstream_size:
        return None
    if not (upstream.dimensions or edge.hops):
        return None
    mapped = edge.correspondence.upstream(PartitionSet.all(edge.correspondence.downstream_size))
    if edge.needs_each and mapped - there:
        return None
    chosen = [(upstream, mapped & there)] if upstream.dimensions else []
    chosen += [(view.partitions, read) for view, read in cut_between(edge, there)]
    if not chosen:
        return None
    text = "\n\n".join(str(each.keys(read.mask.arg_true()).str.join("\n").item()) for each, read in chosen)
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()  # no key holds a control character
