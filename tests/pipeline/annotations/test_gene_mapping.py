"""The mapping of `sources.gene_names`."""

import gzip
from pathlib import Path

import pytest

from data_specs.errors import InputError
from pipeline.annotations.gene_mapping import read_gene_mapping


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "names"
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "A\tB\nC\tD\n", "from\tto\nA\tB\nC\tD", "From\tTO\r\nA\tB\r\n\r\nC\tD\r\n",
        "A,B\nC,D\n", "from,to\nA, B\n\n C,D \n", '"A","B"\nC,D\n', "\ufefffrom,to\nA,B\nC,D\n",
        "\n\nfrom\tto\nA\tB\nA\tB\nC\tD\n",
    ],
)  # fmt: skip
def test_pairs(text: str, tmp_path: Path) -> None:
    assert read_gene_mapping(written(tmp_path, text)) == {"A": "B", "C": "D"}


def test_packed(tmp_path: Path) -> None:
    path = tmp_path / "names.tsv.gz"
    path.write_bytes(gzip.compress(b"A\tB\n"))
    assert read_gene_mapping(path) == {"A": "B"}


def test_names_with_blanks_and_marks(tmp_path: Path) -> None:
    found = read_gene_mapping(written(tmp_path, 'spI IFN\t5\'-"ase"\nA,B\tC\n'))
    assert found == {"spI IFN": '5\'-"ase"', "A,B": "C"}
    assert read_gene_mapping(written(tmp_path, '"a,b",C\n')) == {"a,b": "C"}


@pytest.mark.parametrize("text", ["a,b\nto,from\n", "old,new\nA,B\n", "A,B\nfrom,to\n"])
def test_only_a_first_line_from_to_is_a_header(text: str, tmp_path: Path) -> None:
    assert len(read_gene_mapping(written(tmp_path, text))) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"names: no pair of names"),
        ("from\tto\n", r"names: no pair of names"),
        ("A\tB\nC\n", r"names:2: found 'C'; expected two names separated by a tab"),
        ("A\tB\tC\n", r"names:1: found 'A\\tB\\tC'; expected two names"),
        ("A,B\nC,\n", r"names:2: found 'C,'; expected two names separated by a comma"),
        ("A,B\n,C\n", r"names:2: found ',C'"),
        ("A B\n", r"names:1: found 'A B'; expected two names separated by a comma"),
        ("A,B\nC\tD\n", r"names:2: found"),
        ("A,B\n\nC,D\nA,E\n", r"names:4: 'A' is to be 'E', but line 1 says 'B'; expected one"),
        ('A,"B\n', r"names:1: not readable as CSV"),
        ("A,B\nC,D\te\n", r"names:2: found 'C,D\\te'; expected two names"),
    ],
)
def test_what_is_no_mapping(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read_gene_mapping(written(tmp_path, text))
