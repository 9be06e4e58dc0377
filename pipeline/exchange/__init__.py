"""Hierarchies in the formats of other programs: each module reads and writes one of them."""
