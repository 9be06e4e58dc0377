"""Hierarchies in the formats of other programs: each module reads and writes one of them."""

from pipeline.exchange.formats import FORMATS, FormatName, table
from pipeline.exchange.reading import reader_of
from pipeline.exchange.topology import Topology

__all__ = [
    "FORMATS",
    "FormatName",
    "Topology",
    "reader_of",
    "table",
]
