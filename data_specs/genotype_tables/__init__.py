"""Genotype tables: the kind of a file, the form of its table, and its rows."""

from data_specs.genotype_tables.cells import Piece
from data_specs.genotype_tables.columns import unknown
from data_specs.genotype_tables.files import GenotypeFile, open_file
from data_specs.genotype_tables.headers import FORMS, PHENOTYPES, Form, UnknownForm, known_forms
from data_specs.genotype_tables.rows import Genotypes, read_piece
from data_specs.genotype_tables.words import is_missing

__all__ = [
    "FORMS",
    "PHENOTYPES",
    "Form",
    "GenotypeFile",
    "Genotypes",
    "Piece",
    "UnknownForm",
    "is_missing",
    "known_forms",
    "open_file",
    "read_piece",
    "unknown",
]
