"""Genes by any of their names."""

import dataclasses

import pytest

from data_specs.errors import InputError
from data_specs.gene_names import GeneNames
from tests.hierarchies import random_cell_graph

ROWS = (
    ("ABC1", "G001", "symbol"),
    ("BOTH1", "G001", "synonym"),
    ("BOTH1", "G002", "synonym"),
    ("DEF2", "G002", "symbol"),
    ("DEF2", "G003", "synonym"),  # another gene's standard name
    ("GONE9", "G900", "symbol"),  # annotated, but pruned away
)
NAMES = GeneNames(dataclasses.replace(random_cell_graph(0), gene_names=ROWS))


@pytest.mark.parametrize(
    ("name", "gene"),
    [("G001", "G001"), ("g001", "G001"), ("ABC1", "G001"), ("abc1", "G001"), ("DEF2", "G002"),
     ("GONE9", "G900"), ("G900", "G900"), ("nobody", None), ("", None)],
)  # fmt: skip
def test_lookup(name: str, gene: str | None) -> None:
    assert NAMES.gene(name) == gene


@pytest.mark.parametrize("name", ["BOTH1", "both1"])
def test_synonym_of_two_genes(name: str) -> None:
    with pytest.raises(InputError, match=r"of 2 genes: G001 \(ABC1\), G002 \(DEF2\)"):
        NAMES.gene(name)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", []),
        ("zzz", []),
        ("abc1", [("ABC1", "G001")]),
        ("GONE9", []),  # the hierarchy does not have it
        ("both", [("BOTH1", "G001"), ("BOTH1", "G002")]),
        ("DEF2", [("DEF2", "G002"), ("DEF2", "G003")]),  # standard names first
        ("00", [("G000", "G000"), ("G001", "G001"), ("G002", "G002")]),
        ("g01", [("G010", "G010"), ("G011", "G011"), ("G012", "G012")]),
    ],
)
def test_names_with_a_text(text: str, matches: list[tuple[str, str]]) -> None:
    assert NAMES.matching(text, 3) == matches


def test_why_a_gene_is_not_known() -> None:
    assert "GONE9 (G900) is annotated to no term" in NAMES.explain("GONE9")
    assert "near: ABC1" in NAMES.explain("abc11")
    assert NAMES.explain("zzzzzz") == "zzzzzz is no name of a gene here"


def test_without_names() -> None:
    bare = GeneNames(random_cell_graph(0))
    assert bare.gene("G001") == bare.symbol("G001") == "G001"
