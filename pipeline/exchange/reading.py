"""The format of a hierarchy file, by its content, and its reader."""

from collections.abc import Callable
from pathlib import Path

from pipeline.exchange import cx2, gennet, gmt, graphml, topology
from pipeline.exchange.topology import Topology

Reader = Callable[[str, Path], Topology]


def reader_of(text: str) -> Reader | None:
    """The reader of a hierarchy with annotations; None for any other text."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    if cx2.is_cx2(text):
        return cx2.read
    if graphml.is_graphml(text):
        return graphml.read
    if gennet.is_gennet(first):
        return gennet.read
    if topology.is_topology(text):
        return topology.parse
    return gmt.read if gmt.is_gmt(text) else None
