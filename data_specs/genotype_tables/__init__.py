"""Genotype tables in every form that is read: what a file is, which form it has, its rows."""

from data_specs.genotype_tables.cells import Piece
from data_specs.genotype_tables.headers import FORMS, PHENOTYPES, Form
from data_specs.genotype_tables.rows import (
    GenotypeFile,
    Genotypes,
    open_file,
    read_piece,
)

__all__ = [
    "FORMS",
    "PHENOTYPES",
    "Form",
    "GenotypeFile",
    "Genotypes",
    "Piece",
    "open_file",
    "read_piece",
]
