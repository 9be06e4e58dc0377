"""Genes by any of their names."""

import dataclasses

import pytest

from data_specs.errors import InputError
from data_specs.gene_names import GeneNames, Resolution, counts
from tests.hierarchies import random_cell_graph

ROWS = (
    ("ABC1", "G001", "symbol"),
    ("BOTH1", "G001", "synonym"),
    ("BOTH1", "G002", "synonym"),
    ("DEF2", "G002", "symbol"),
    ("DEF2", "G003", "synonym"),  # another gene's standard name
    ("GONE9", "G900", "symbol"),  # annotated, but pruned away
)
NAMES = GeneNames.of(dataclasses.replace(random_cell_graph(0), gene_names=ROWS))


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
    bare = GeneNames.of(random_cell_graph(0))
    assert bare.gene("G001") == bare.symbol("G001") == "G001"


MAPPING = (
    ("old", "DEF2", "mapped"),  # to a symbol
    ("OLD", "nowhere", "mapped"),
    ("G003", "G004", "mapped"),  # an id that is to be another
    ("G004", "G003", "mapped"),
    ("Twice", "ABC1", "mapped"),
    ("to two", "BOTH1", "mapped"),
    ("zab", "G001", "mapped"),
    ("ZAB", "G002", "mapped"),
)
MAPPED = GeneNames.of(dataclasses.replace(random_cell_graph(0), gene_names=ROWS + MAPPING))


@pytest.mark.parametrize(
    ("name", "gene", "how"),
    [
        ("old", "G002", "mapped"),
        ("OLD", "nowhere", "unresolved"),
        ("G003", "G004", "mapped"),  # once, not round in a circle
        ("G004", "G003", "mapped"),
        ("g004", "G003", "mapped"),
        ("tWICE", "G001", "mapped"),
        ("to two", "BOTH1", "ambiguous"),
        ("ZAB", "G002", "mapped"),
        ("Zab", "Zab", "ambiguous"),  # in another case it is two names
        ("G001", "G001", "as_written"),
        ("g001", "G001", "systematic"),
        ("abc1", "G001", "symbol"),
        ("BOTH1", "BOTH1", "ambiguous"),
        ("both2", "both2", "unresolved"),
    ],
)
def test_what_a_name_means(name: str, gene: str, how: str) -> None:
    found = MAPPED.resolve(name)
    assert (found.gene, found.how) == (gene, how)
    assert found.known == (how not in ("ambiguous", "unresolved"))
    assert MAPPED.number(name) == (MAPPED.index.get(gene) if found.known else None)


def test_what_stands_as_written_wins_over_other_case_whatever_its_kind() -> None:
    rows = [("ab", "G1", "synonym"), ("AB", "G2", "symbol"), ("Ab", "Ab", "systematic")]
    names = GeneNames(rows)
    assert [names.resolve(name).gene for name in ("ab", "AB", "Ab", "aB")] == [
        "G1",
        "G2",
        "Ab",
        "Ab",
    ]


def test_exact_names_are_systematic_ones_as_written_or_mapped_ones() -> None:
    graph = dataclasses.replace(random_cell_graph(0), gene_names=ROWS + MAPPING, exact_names=True)
    names = GeneNames.of(graph)
    assert names.resolve("G001") == Resolution("G001", "as_written", ("G001",))
    assert names.resolve("Twice") == Resolution("ABC1", "unresolved")  # no symbols behind it
    assert names.resolve("zab") == Resolution("G001", "mapped", ("G001",))
    for name in ("g001", "ABC1", "abc1", "BOTH1", "Zab", "tWICE", "G900x"):
        assert names.resolve(name) == Resolution(name, "unresolved")
    assert names.symbol("G001") == "ABC1"  # it is shown all the same
    assert names.near("G0011") == ["G011", "G001"]
    assert names.matching("abc") == []


def test_counts_of_names() -> None:
    assert counts(["as_written", "symbol", "mapped", "ambiguous", "unresolved", "unresolved"]) == {
        "as_written": 1, "renamed": 2, "ambiguous": 1, "unresolved": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "said"),
    [("old", "old (G002) is annotated to no term"),
     ("OLD", "OLD, mapped to nowhere, is no name of a gene here"),
     ("to two", "to two, mapped to BOTH1, is a name of 2 genes: G001 (ABC1), G002 (DEF2)")],
)  # fmt: skip
def test_a_mapped_name_is_explained(name: str, said: str) -> None:
    assert MAPPED.explain(name).startswith(said)
