"""Stage `annotations`: from annotation lines to pairs of term and gene."""

from pipeline.annotations.formats import AnnotationLines, read_lines
from pipeline.annotations.gene_info import read_gene_info
from pipeline.annotations.stage import run

__all__ = [
    "AnnotationLines",
    "read_gene_info",
    "read_lines",
    "run",
]
