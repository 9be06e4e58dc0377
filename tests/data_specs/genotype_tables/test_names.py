"""Names in the cells of genes: all rows at once, by the rule of `genotype_text`."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs.errors import InputError
from data_specs.genotype_tables.names import split
from data_specs.genotype_text import names_in, whole_names
from tests.conftest import examples
from tests.genotype_tables import GenotypeTable, read

WHOLE = whole_names(["spI IFN", "DUR1,2", "RNA(+)", "A B C"])
TEXTS = st.lists(
    st.sampled_from(["A", "B", "C", "spI", "IFN", "spI IFN", "DUR1,2", "dur1,2", "RNA(+)", "2",
                     "|", ";", ",", "+", " ", "\u00a0"]), min_size=1, max_size=8,
).map("".join)  # fmt: skip


@settings(max_examples=examples(300))
@given(texts=st.lists(TEXTS, min_size=1, max_size=6), known=st.booleans())
def test_all_rows_at_once_as_each_by_itself(texts: list[str], known: bool) -> None:
    whole = WHOLE if known else frozenset()
    stripped = pl.Series(texts, dtype=pl.String).str.strip_chars()
    filled = stripped.filter(stripped != "")
    found = split(filled, whole).to_list()
    assert found == [names_in(text, whole) for text in filled.to_list()]


def table(tmp_path: Path, text: str, whole: frozenset[str] = frozenset()) -> GenotypeTable:
    (tmp_path / "t.tsv").write_text(text)
    return read(tmp_path / "t.tsv", known=sorted(whole))


@pytest.mark.parametrize("genes", ["A|B", "A,B", "A;B", "A+B", "A B", "A , B", "B|A"])
def test_a_cell_of_several_genes(tmp_path: Path, genes: str) -> None:
    assert table(tmp_path, f"genes\tscore\n{genes}\t1\n").frame["genes"].to_list() == [["A", "B"]]


@pytest.mark.parametrize(
    "genes", ["A|B C", "A|B,C", "A;B,C", "A,,B", "A+", "#N/A", "A|#REF!", "?", "A|-", "A;"]
)
def test_what_is_no_name_is_refused(tmp_path: Path, genes: str) -> None:
    with pytest.raises(InputError, match=r"t\.tsv:3: found gene names \["):
        table(tmp_path, f"genes\tscore\nA\t1\n{genes}\t1\n")


@pytest.mark.parametrize("cell", ["A,B", "A|B", "A B", "A+B", "A;B"])
def test_a_column_of_one_gene_has_one(tmp_path: Path, cell: str) -> None:
    with pytest.raises(InputError, match=r"t\.tsv:2: found gene names .*; expected one gene"):
        table(tmp_path, f"gene_1\tgene_2\tscore\n{cell}\tC\t1\n")


@pytest.mark.parametrize("cell", ["A,B", "A|B", "A+B", "A;B"])
def test_text_of_dcell_has_one_gene_a_word(tmp_path: Path, cell: str) -> None:
    with pytest.raises(InputError, match=r"t\.tsv:2: found gene names"):
        table(tmp_path, f"1 A 1\n2 {cell} C 1\n")


@pytest.mark.parametrize("name", ["A,B", "A;B", "A B"])
def test_a_strain_has_genes_between_plus_signs(tmp_path: Path, name: str) -> None:
    header = "Query Strain ID\tArray Strain ID\tAdjusted genetic interaction score (epsilon or tau)"
    header += "\tP-value\tDouble/triple mutant fitness"
    header += "\tDouble/triple mutant fitness standard deviation"
    with pytest.raises(InputError, match=r"t\.tsv:2: found strain ids"):
        table(tmp_path, f"{header}\n{name}_tm1\tC_dma1\t1\t1\t1\t1\n")


@pytest.mark.parametrize("missing", ["", "NA", "-", ".", "--", "nan"])
def test_cells_without_a_gene(tmp_path: Path, missing: str) -> None:
    found = table(tmp_path, f"gene_1\tgene_2\tscore\nA\t{missing}\t1\n{missing}\tB\t1\n")
    assert found.frame["genes"].to_list() == [["A"], ["B"]]


def test_known_names_with_blanks(tmp_path: Path) -> None:
    text = "genes\tscore\nspI IFN\t1\nA|spi ifn\t1\nDUR1,2,A\t1\n"
    found = table(tmp_path, text, WHOLE).frame["genes"].to_list()
    assert found == [["spI IFN"], ["A", "spi ifn"], ["A", "DUR1,2"]]
    found = table(tmp_path, "gene_1\tgene_2\tscore\nspI IFN\tDUR1,2\t1\n", WHOLE).frame
    assert found["genes"].to_list() == [["DUR1,2", "spI IFN"]]
    with pytest.raises(InputError, match="found gene names"):
        table(tmp_path, "genes\tscore\nA|spI IFN\t1\n")


@pytest.mark.parametrize("item", ["A,B", "A|B", "A B", "", None])
def test_an_item_of_a_list_is_one_name(tmp_path: Path, item: str | None) -> None:
    frame = pl.DataFrame({"genes": [["C"], [item, "D"]], "score": [1.0, 2.0]})
    frame.write_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"t\.parquet:2: found gene names"):
        read(tmp_path / "t.parquet")


def test_lists_of_known_names_and_of_none(tmp_path: Path) -> None:
    genes = [["spI IFN"], ["DUR1,2", "A"], [], None]
    pl.DataFrame({"genes": genes, "score": [1.0] * 4}).write_parquet(tmp_path / "t.parquet")
    found = read(tmp_path / "t.parquet", known=sorted(WHOLE)).frame["genes"].to_list()
    assert found == [["spI IFN"], ["A", "DUR1,2"], [], []]
