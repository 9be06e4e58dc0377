"""`dcell-data export`: a hierarchy, and samples, in the formats of other programs."""

from pipeline.export.command import export

__all__ = [
    "export",
]
