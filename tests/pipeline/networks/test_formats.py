"""Gene networks in their formats, and the errors that name file and line."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from data_specs.errors import InputError
from pipeline.networks.formats import read_gene_list, read_networks

EDGES = [("A", "B", 0.5), ("C", "A", 0.25)]
GENES = ["A", "B", "C"]
# As STRING has them: each pair in both directions.
LINKS = "protein1 protein2 combined_score\n4932.A 4932.B 500\n4932.B 4932.A 500\n"
DETAILED = (
    "protein1 protein2 fusion coexpression combined_score\n"
    "4932.A 4932.B 0 310 400\n4932.C 4932.A-B.1 1000 0 999\n"
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("n.tsv", "gene_a\tgene_b\tweight\nA\tB\t0.5\nC\tA\t0.25\n"),
        ("n.csv", "weight,gene_b,gene_a,source\n0.5,B,A,x\n0.25,A,C,y\n"),
        ("n_adjacency.txt", "1\t2\t0.500000\n3\t1\t0.250000\n"),  # counted from 1
        ("n_adjacency.txt", "1\t2\t0.500000\n3\t1\t0.250000"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_formats(tmp_path: Path, name: str, text: str, zipped: bool) -> None:
    path = tmp_path / (name + ".gz" * zipped)
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    frame = read_networks(path, GENES)[""]
    assert frame.columns == ["gene_a", "gene_b", "weight"]
    assert frame.rows() == EDGES


def test_parquet(tmp_path: Path) -> None:
    frame = pl.DataFrame(EDGES, schema=["gene_a", "gene_b", "weight"], orient="row")
    frame.write_parquet(tmp_path / "n.parquet")
    assert read_networks(tmp_path / "n.parquet")[""].rows() == EDGES


def test_edges_without_weight(tmp_path: Path) -> None:
    (tmp_path / "n.tsv").write_text("gene_a\tgene_b\nA\tB\n")
    assert read_networks(tmp_path / "n.tsv")[""].rows() == [("A", "B", 1.0)]


@pytest.mark.parametrize("zipped", [False, True])
def test_links_of_string(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / ("4932.protein.links.v12.0.txt" + ".gz" * zipped)
    path.write_bytes(gzip.compress(LINKS.encode()) if zipped else LINKS.encode())
    assert [(channel, frame.rows()) for channel, frame in read_networks(path).items()] == [
        ("", [("A", "B", 0.5), ("B", "A", 0.5)])
    ]


def test_channels_of_string(tmp_path: Path) -> None:
    """A network each; the combined score is made of them. Only the taxon is cut off."""
    path = tmp_path / "4932.protein.links.detailed.v12.0.txt"
    path.write_text(DETAILED)
    networks = read_networks(path)
    assert {channel: frame.rows() for channel, frame in networks.items()} == {
        "fusion": [("A", "B", 0.0), ("C", "A-B.1", 1.0)],
        "coexpression": [("A", "B", 0.31), ("C", "A-B.1", 0.0)],
    }


def test_one_channel_alone(tmp_path: Path) -> None:
    path = tmp_path / "n.txt"
    path.write_text("protein1 protein2 fusion\n4.A 4.B 1\n")
    assert {name: frame.rows() for name, frame in read_networks(path).items()} == {
        "": [("A", "B", 0.001)]
    }


def test_gene_list(tmp_path: Path) -> None:
    path = tmp_path / "genes.txt"
    path.write_text("Q0010\nQ0017\nYAL001C")
    assert read_gene_list(path) == ["Q0010", "Q0017", "YAL001C"]
    path.write_text("Q0010\n\nYAL001C\n")
    with pytest.raises(InputError, match=r"genes\.txt:2: ''; expected the name of one gene"):
        read_gene_list(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not readable as a network"),
        ("a\tb\nA\tB\n", "columns a, b; expected gene_a, gene_b and weight;"),
        ("1\t2\n", ":1: 2 columns; expected two indices and a weight"),
        ("1\t2\t0.5\n0\t1\t0.5\n", ":2: '0'; expected an index from 1 to 3"),
        ("1\t2\t0.5\n1\t4\t0.5\n", ":2: '4'; expected an index from 1 to 3"),
        ("1\t2\t0.5\n1\tB\t0.5\n", ":2: 'B'; expected an index from 1 to 3"),
        ("1\t2\t0.5\n1\t3\n", ":2: None; expected a weight of 0 or more"),
        ("1\t2\t0.5\n1\t3\t-1\n", ":2: '-1'; expected a weight"),
        ("gene_a\tgene_b\tweight\nA\tB\tmuch\n", ":2: 'much'; expected a weight"),
        ("gene_a\tgene_b\tweight\nA\tB\tnan\n", ":2: 'nan'; expected a weight"),
        ("gene_a\tgene_b\tweight\nA\t\t1\n", ":2: None; expected a gene as gene_b"),
        ("protein1 protein2\n4.A 4.B\n", ":1: columns protein1, protein2; expected combined_score"),
        (
            "protein1 protein2 fusion fusion\n4.A 4.B 1 1\n",
            "fusion_duplicated_0",
        ),
        (
            "protein1 protein2 fusion /../x\n4.A 4.B 1 1\n",
            "column '/../x'; expected channels",
        ),
        (LINKS + "A 4.B 9\n", ":4: 'A'; expected protein1 as TAXON.NAME (4932.YAL001C)"),
        (LINKS + "4.A 4. 9\n", ":4: '4.'; expected protein2 as TAXON.NAME"),
        (LINKS + "\n", ":4: None; expected protein1"),
        (LINKS + "4.A 4.B 1001\n", ":4: '1001'; expected combined_score from 0 to 1000"),
        (LINKS + "4.A 4.B 0.9\n", ":4: '0.9'; expected combined_score from 0"),
        (LINKS + "4.A 4.B\n", ":4: None; expected combined_score from 0"),
        (LINKS + "4.A 4.B 1 2\n", "not readable as a network"),
        (DETAILED + "4.A 4.B 1 -1 1\n", ":4: '-1'; expected coexpression from 0 to 1000"),
    ],
)
def test_what_is_no_network(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "n.txt"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_networks(path, GENES)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


def test_indices_without_their_genes(tmp_path: Path) -> None:
    (tmp_path / "n.txt").write_text("1\t2\t0.5\n")
    with pytest.raises(InputError, match=r"set sources\.network_genes"):
        read_networks(tmp_path / "n.txt")
