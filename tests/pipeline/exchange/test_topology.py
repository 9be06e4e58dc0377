"""Ready-made hierarchies in DCell's and DrugCell's text formats."""

from pathlib import Path

import pytest

from data_specs.errors import InputError
from pipeline.exchange.topology import is_topology, parse, to_dcell, to_drugcell, to_gene_indices

DCELL = (
    "ROOT: T1 3\nGENES: A B A\nTERMS: T2 T3\nROOT: T2 2\nGENES: \nTERMS: T3\nROOT: T3\nGENES: C\n"
)
DRUGCELL = "T1\tT2\tdefault\nT1\tA\tgene\nT2\tB\tgene\nT2\tB\tgene\n"
PATH = Path("hierarchy.txt")


def test_dcell_topology() -> None:
    hierarchy = parse(DCELL, PATH)
    assert hierarchy.terms == ("T1", "T2", "T3")
    assert hierarchy.edges == (("T2", "T1"), ("T3", "T1"), ("T3", "T2"))
    assert hierarchy.annotations == (("T1", "A"), ("T1", "B"), ("T3", "C"))
    assert hierarchy.lines == 4


def test_drugcell_ontology() -> None:
    hierarchy = parse(DRUGCELL, PATH)
    assert hierarchy.terms == ("T1", "T2")
    assert hierarchy.edges == (("T2", "T1"),)
    assert hierarchy.annotations == (("T1", "A"), ("T2", "B"))
    assert hierarchy.lines == 3


def test_what_is_written() -> None:
    hierarchy = parse(DCELL, PATH)
    assert to_dcell(hierarchy) == (
        "ROOT: T1 3\nGENES: A B\nTERMS: T2 T3\nROOT: T2 1\nGENES:\nTERMS: T3\n"
        "ROOT: T3 1\nGENES: C\nTERMS:\n"
    )
    assert to_drugcell(hierarchy) == (
        "T1\tT2\tdefault\nT1\tT3\tdefault\nT2\tT3\tdefault\nT1\tA\tgene\nT1\tB\tgene\nT3\tC\tgene\n"
    )
    assert to_gene_indices(hierarchy) == "0\tA\n1\tB\n2\tC\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [(DCELL, True), (DRUGCELL, True), ("\n" + DCELL, True), ("format-version: 1.2\n", False)],
)
def test_formats_are_told_apart(text: str, found: bool) -> None:
    assert is_topology(text) is found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ROOT: T1\nGENES: A\nTERMS: T9\n", "txt:3: child term 'T9' has no ROOT"),
        ("ROOT: T1\nGENES: A\nROOT: T1\n", "txt:3: term 'T1' has a second"),
        ("ROOT: T1\nsomething else\n", "txt:2: found 'something else'"),
        ("GENES: A\n", "txt:1: found 'GENES: A'"),
        (DRUGCELL + "T2\tC\n", "txt:5: found"),
    ],
)
def test_errors_name_the_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(text, PATH)


@pytest.mark.real
def test_real_dcell_topology(real_data: Path) -> None:
    path = real_data / "genotypes" / "dcell_GO_0006281.topology"
    hierarchy = parse(path.read_text(), path)
    assert len(hierarchy.terms) == 21
    assert len({gene for _, gene in hierarchy.annotations}) == 162


@pytest.mark.real
def test_real_drugcell_ontology(real_data: Path) -> None:
    path = real_data / "drugcell" / "drugcell_ont.txt"
    hierarchy = parse(path.read_text(), path)
    assert len(hierarchy.edges) == 3_167
    assert hierarchy.lines == 59_753
    listed = (real_data / "drugcell" / "gene2ind.txt").read_text().split()[1::2]
    assert {gene for _, gene in hierarchy.annotations} == set(listed)


def test_blanks_around_cells_of_drugcell_text() -> None:
    text = "A \tB\tdefault \n B\tx \tgene\n"
    assert parse(text, PATH) == parse("A\tB\tdefault\nB\tx\tgene\n", PATH)
    with pytest.raises(InputError, match=":2: found"):
        parse("A\tB\tdefault\nB\t \tgene\n", PATH)
