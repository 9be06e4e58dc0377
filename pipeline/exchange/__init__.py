"""Hierarchies in the formats of other programs: each module reads and writes one of them."""

from pipeline.exchange.formats import FORMATS, table
from pipeline.exchange.reading import reader_of
from pipeline.exchange.topology import Topology

__all__ = [
    "FORMATS",
    "Topology",
    "reader_of",
    "table",
]
