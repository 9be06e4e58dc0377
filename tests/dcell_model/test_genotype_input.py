"""Genotypes as people write them."""

import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_specs.errors import InputError
from data_specs.gene_names import GeneNames
from dcell_model.genotype_input import read_gene_names, read_genotypes
from tests.hierarchies import random_cell_graph

ROWS = (
    ("A", "G001", "symbol"),
    ("B", "G002", "symbol"),
    ("C", "G003", "symbol"),
    ("spI IFN", "G004", "symbol"),
    ("DUR1,2", "G005", "symbol"),
)
NAMES = GeneNames(dataclasses.replace(random_cell_graph(0), gene_names=ROWS))
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
        (str(tmp_path / "short.csv"), r"short\.csv:2: 1 columns; expected 2"),
    ]:
        with pytest.raises(InputError, match=found):
            read_genotypes(given, NAMES)


@pytest.mark.parametrize("nothing", ["", " "])
def test_no_text_is_not_the_current_folder(nothing: str) -> None:
    with pytest.raises(InputError, match="no genotype"):
        read_genotypes(nothing, NAMES)
