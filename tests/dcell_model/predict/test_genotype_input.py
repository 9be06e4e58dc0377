"""Genotypes as people write them."""

import dataclasses
import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from data_specs.errors import InputError
from data_specs.gene_names import GeneNames
from data_specs.genotype_tables import FORMS
from dcell_model.predict.genotype_input import read_gene_names, read_genotypes
from tests.hierarchies import random_cell_graph

ROWS = (
    ("A", "G001", "symbol"),
    ("B", "G002", "symbol"),
    ("C", "G003", "symbol"),
    ("spI IFN", "G004", "symbol"),
    ("DUR1,2", "G005", "symbol"),
)
NAMES = GeneNames.of(dataclasses.replace(random_cell_graph(0), gene_names=ROWS))
EXPECTED = [["A", "B"], ["C"]]


@pytest.mark.parametrize("text", ["A|B;C", "A,B; C", "A B ;C;"])
def test_on_the_command_line(text: str) -> None:
    assert read_genotypes(text, NAMES) == EXPECTED


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("g.txt", "# two\nA|B\n\nC # one\n"),
        ("g.txt", "A,B\r\nC\r\n"),
        ("g", "A B\nC"),
        ("g.csv", 'score,genes\n1,"A,B"\n2,C\n'),
        ("g.tsv", "genes\tscore\nA|B\t1\nC\t2\n"),
        ("g.csv", "A,B\nC\n"),
    ],
)
def test_files(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode())
    assert read_genotypes(str(tmp_path / name), NAMES) == EXPECTED
    assert read_gene_names(tmp_path / name, NAMES) == ["A", "B", "C"]


@pytest.mark.parametrize("cells", [["A|B", "C", ""], [["A", "B"], ["C"], []]])
def test_parquet(tmp_path: Path, cells: list[object]) -> None:
    path = tmp_path / "g.parquet"
    pq.write_table(pa.table({"genes": cells}), path)
    assert read_genotypes(str(path), NAMES) == [*EXPECTED, []]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"mutants": ["A"]}), tmp_path / "g.parquet")
    (tmp_path / "short.csv").write_text("genes,score\nA|B\n")
    for given, found in [
        ("nowhere.csv", "no such file"),
        (" ; ", "no genotype"),
        (str(tmp_path / "g.parquet"), "genes"),
        (str(tmp_path / "short.csv"), r"short\.csv:2: found 1 columns; expected 2"),
    ]:
        with pytest.raises(InputError, match=found):
            read_genotypes(given, NAMES)


@pytest.mark.parametrize("nothing", ["", " "])
def test_no_text_is_not_the_current_folder(nothing: str) -> None:
    with pytest.raises(InputError, match="no genotype"):
        read_genotypes(nothing, NAMES)


FORMS_OF_TABLES = {
    "costanzo_2016": ("A_sn1", "B_dma1"),
    "tau_sga": ("A+YDL227C_tm1", "B_dma1"),
    "kuzmin_2018": ("YDL227C+A_tm1", "B_dma1"),
    "kuzmin_2020": ("A_tm1", "B_dma1"),
}


@pytest.mark.parametrize("suffix", ["txt", "csv", "dat", "parquet"])
@pytest.mark.parametrize("form", FORMS_OF_TABLES)
def test_published_tables_whatever_their_ending(tmp_path: Path, form: str, suffix: str) -> None:
    strains = dict(zip(("query_strain", "array_strain"), FORMS_OF_TABLES[form], strict=True))
    row = "\t".join(strains.get(field, "NaN") for field in FORMS[form].values())
    path = tmp_path / f"g.{suffix}"
    path.write_text("\t".join(FORMS[form]) + f"\n{row}\n", encoding="utf-8")
    assert read_genotypes(str(path), NAMES) == [["A", "B"]]
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert read_genotypes(str(path), NAMES) == [["A", "B"]]


@pytest.mark.parametrize(
    ("text", "genotypes"),
    [
        ("2 A B 0.5\n1 C nan\n", EXPECTED),
        ("gene_1,gene_2,fitness\nA,B,ND\nC,,\n", EXPECTED),
        ("gene_1;gene_2;fitness\nA;B;0,5\nC;;\n", EXPECTED),
        ("genes\tfitness\nB, A\t0,5\n\tx\n", [["B", "A"], []]),
        ("genes\nspI IFN,A\nDUR1,2\n", [["spI IFN", "A"], ["DUR1,2"]]),
        ("spI IFN,A\nDUR1,2\n", [["spI IFN", "A"], ["DUR1,2"]]),
        ("# all genes\n\nA+B\nC # genes of interest\n", EXPECTED),
        ("G999\nA\n", [["G999"], ["A"]]),  # looks like a gene, so that it is no header
        ("G998 G999\nA\n", [["G998", "G999"], ["A"]]),
        ("A,unknown\nB\n", [["A", "unknown"], ["B"]]),
    ],
)
def test_files_by_their_content(tmp_path: Path, text: str, genotypes: list[list[str]]) -> None:
    (tmp_path / "g.txt").write_text(text)
    assert read_genotypes(str(tmp_path / "g.txt"), NAMES) == genotypes


def test_workbook(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "g.xlsx")) as book:
        book.add_worksheet().write(0, 0, "notes")
        sheet = book.add_worksheet()
        for at, row in enumerate([("gene_1", "gene_2"), ("A", "B"), ("C", "")]):
            sheet.write_row(at + 3, 2, row)
    assert read_genotypes(str(tmp_path / "g.xlsx"), NAMES) == EXPECTED


def test_a_folder_of_parts(tmp_path: Path) -> None:
    pq.write_table(pa.table({"genes": [["A", "B"]], "count": [1]}), tmp_path / "00000.parquet")
    pq.write_table(pa.table({"genes": [["C"]], "count": [1]}), tmp_path / "00001.parquet")
    assert read_genotypes(str(tmp_path), NAMES) == EXPECTED
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="a folder without Parquet tables"):
        read_genotypes(str(tmp_path / "empty"), NAMES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gene\nA\nB\n", "g.txt:1: unknown header .'gene'.*Known forms.*or a list"),
        ("Gene A\tGene B\tScore\nA\tB\t0.5\n", "g.txt:1: unknown header"),
        ("query,array\nA,B\n", "g.txt:1: unknown header"),
        ("A\tB\t0.5\n", "g.txt:1: '0.5' is no name of a gene.*Known forms"),
        ("A B\nC NaN\n", "g.txt:2: 'NaN' is no name of a gene"),
        ("A,B C\n", "g.txt:1: unknown header"),
        ("A\nA,B C\n", "g.txt:2: 'A,B C': 'B C' is no name of a gene"),
        ("G998\nG999\n", "the model knows no gene of the 2 names in it, as 'G998', 'G999'"),
        ("genes,score\nx|y,1\n", "the model knows no gene of the 2 names in it"),
        ("gene_1,gene_2\nA B,C\n", "g.txt:2: found gene names .* Correct the row, or delete"),
        ("2 A B\n", "g.txt:1: found '2 A B'; expected the number of genes"),
        ("genes,score\n", "no genotype"),
        ("# nothing\n", "no genotype"),
    ],
)
def test_what_is_no_genotype_is_never_the_wild_type(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "g.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_genotypes(str(tmp_path / "g.txt"), NAMES)


@pytest.mark.real
def test_case_of_costanzo(real_data: Path) -> None:
    names = GeneNames((), [f"YAL0{n:02}{s}" for n in range(11) for s in "CW"])
    found = read_genotypes(str(real_data / "cases" / "genotypes" / "costanzo.txt"), names)
    assert found[:2] == [["YAL001C", "YAL002W"], ["YAL001C", "YAL003W"]]
    assert found[-2:] == [["YAL002W", "YDL227C"], ["YAL002W"]]  # HO is no deletion of a query


def test_states_stand_behind_names(tmp_path: Path) -> None:
    assert read_genotypes("A=0.5|B; C", NAMES) == [["A=0.5", "B"], ["C"]]
    (tmp_path / "g.txt").write_text("A=0.5,B\nC=0.25\n")
    assert read_genotypes(str(tmp_path / "g.txt"), NAMES) == [["A=0.5", "B"], ["C=0.25"]]
    assert read_gene_names(tmp_path / "g.txt", NAMES) == ["A", "B", "C"]
    (tmp_path / "g.tsv").write_text("genes\tstates\nB|A\t0.25|0\nC\t\n")
    assert read_genotypes(str(tmp_path / "g.tsv"), NAMES) == [["B=0.25", "A"], ["C"]]


def test_kinds_of_alleles_tell_states_if_these_are_given(tmp_path: Path) -> None:
    header = "\t".join(FORMS["costanzo_2016"])
    rest = "DMA30\t0.1\t0.5\t1\t1\t0.9\t0.02"
    row = "\t".join(["G002_tsq1", "b-1", "G001_dma2", "a", rest])
    (tmp_path / "long.txt").write_text(f"{header}\n{row}\n")
    given = str(tmp_path / "long.txt")
    assert read_genotypes(given, NAMES) == [["G002", "G001"]]
    assert read_genotypes(given, NAMES, {"ts": 0.25}) == [["G001", "G002=0.25"]]
