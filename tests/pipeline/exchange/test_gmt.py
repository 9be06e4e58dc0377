"""Gene sets: what they are told by, and the flat hierarchy that they are."""

from pathlib import Path

import pytest

from data_specs.errors import InputError
from pipeline.exchange import reader_of
from pipeline.exchange.gmt import GeneSet, is_gmt, parse, read
from tests.conftest import CHECKOUT, TINY

MSIGDB = (
    "HALLMARK_A\thttps://www.gsea-msigdb.org/gsea/msigdb/HALLMARK_A\tTP53\tMDM2\n"
    "HALLMARK_B\thttps://www.gsea-msigdb.org/gsea/msigdb/HALLMARK_B\tMDM2\tHLA-A\n"
)
REACTOME = "Mismatch repair\tR-HSA-13\tMLH1\tMSH2\nDNA repair\tR-HSA-10\tMLH1\n"
ENRICHR = "DNA repair (GO:0006281)\t\tMLH1\tMSH2\t\nApoptosis\t\tTP53\tBAX\n"
ENTREZ = "A\tna\t4292\t4436\nB\tna\t672\n"


@pytest.mark.parametrize("text", [MSIGDB, REACTOME, ENRICHR, ENTREZ, "A\tx\tg\nB\ty\tg\th\n"])
def test_sets_are_told_by_their_content(text: str) -> None:
    assert is_gmt(text)
    assert reader_of(text) is read
    assert is_gmt("\n" + text)


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "a\tb\n", "a\tb\t\n",
        "genes\tfitness\tsd\nYAL001C\t0.5\t0.1\nYAL002C\t0.7\t0.1\n",  # genotypes
        "gene_a\tgene_b\tweight\nA\tB\tC\nD\tE\tF\n",  # any table of one width
        (TINY / "tiny.gaf").read_text(),
        (TINY / "tiny.gaf").read_text().split("\n", 2)[2],  # without its header
        (TINY / "tiny.obo").read_text(), (TINY / "tiny.tsv").read_text(),
        "P1\tP2\tdefault\nP2\tTP53\tgene\n",  # DrugCell
        "R-HSA-1\tR-HSA-2\n",
        "UniProtKB\tP1\tinvolved_in\tGO:0000003\tPMID:1\tECO:0000315\t\t\t20150101\tSGD\t\t\n",
        "#comment\tna\tA\tB\n",
    ],
)  # fmt: skip
def test_other_tables_are_no_sets(text: str) -> None:
    assert not is_gmt(text)
    assert reader_of(text) is not read


def test_an_id_in_the_description_is_the_id() -> None:
    assert parse(REACTOME) == [
        GeneSet("R-HSA-13", "Mismatch repair", ("MLH1", "MSH2"), 1),
        GeneSet("R-HSA-10", "DNA repair", ("MLH1",), 2),
    ]
    assert parse("A\tGO:0006281\tx\tx\t\ty\n") == [GeneSet("GO:0006281", "A", ("x", "y"), 1)]
    assert [s.term for s in parse(MSIGDB)] == ["HALLMARK_A", "HALLMARK_B"]


def test_the_hierarchy_is_flat() -> None:
    hierarchy = read(REACTOME, Path("x"))
    assert hierarchy.terms == ("R-HSA-10", "R-HSA-13")
    assert hierarchy.edges == ()
    assert hierarchy.annotations == (
        ("R-HSA-10", "MLH1"), ("R-HSA-13", "MLH1"), ("R-HSA-13", "MSH2"),
    )  # fmt: skip
    assert hierarchy.names["R-HSA-13"] == "Mismatch repair"
    assert read(MSIGDB, Path("x")).names["HALLMARK_A"] == "HALLMARK_A"
    assert hierarchy.lines == 3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("A\tna\n", "x.gmt:3: found no genes; expected a name, a description and genes"),
        ("A\n", "x.gmt:3: found no genes"),
        ("\tna\tg\n", "x.gmt:3: the first cell, the name of the set, is empty"),
        ("Mismatch\tR-HSA-13\tg\n", "x.gmt:3: a second set 'R-HSA-13', after line 1"),
    ],
)
def test_what_is_wrong_is_said(line: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(REACTOME + line, Path("x.gmt"))


def test_no_page_of_this_project_is_a_set() -> None:
    for page in (CHECKOUT / "docs").rglob("*.md"):
        assert not is_gmt(page.read_text(encoding="utf-8"))
