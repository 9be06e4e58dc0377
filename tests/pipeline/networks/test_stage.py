"""The stage `networks`: each edge once, on the genes of the store, and nothing lost uncounted."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs.errors import ArtefactError, InputError
from data_specs.gene_networks import read_networks
from data_specs.layout import DataLayout
from data_specs.parameters.sections import Networks, resolve
from dcell_model.data.dataset import MutantStateDataset
from pipeline.build import build
from pipeline.networks.formats import read_networks as read_string
from pipeline.networks.stage import clean, name_of
from pipeline.verify import verify
from tests.conftest import examples, tiny_parameters

GENES = ["A", "B", "C", "D"]


def cleaned(
    rows: list[tuple[str, str, float]], least: float = 0.0
) -> tuple[pl.DataFrame, dict[str, Any]]:
    frame = pl.DataFrame(rows, schema={"gene_a": str, "gene_b": str, "weight": float}, orient="row")
    return clean(frame, GENES, Networks(least_weight=least))


def test_no_edge() -> None:
    table, account = cleaned([])
    assert table.height == account["rows"] == account["genes"] == 0
    assert table.schema == {"gene_a": pl.String, "gene_b": pl.String, "weight": pl.Float32}


def test_each_edge_once() -> None:
    rows = [("B", "A", 0.5), ("A", "B", 0.25), ("C", "A", 1.0)]
    table, account = cleaned(rows)
    assert table.rows() == [("A", "B", 0.5), ("A", "C", 1.0)]
    assert (account["merged"], account["edges"], account["genes"]) == (1, 2, 3)
    assert cleaned(rows[::-1])[0].equals(table)


def test_every_row_is_counted() -> None:
    rows = [("A", "A", 1.0), ("A", "X", 1.0), ("X", "X", 1.0), ("A", "B", 0.0), ("A", "C", 0.1),
            ("A", "D", 0.2), ("D", "A", 0.3)]  # fmt: skip
    table, account = cleaned(rows, least=0.2)
    assert account["dropped"] == {"self": 2, "unknown_gene": 1, "weight": 2}
    assert account["rows"] == sum(account["dropped"].values()) + account["merged"] + table.height


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/string-v9.1_yeast_fusion_adjacency.txt.gz", "string-v9.1_yeast_fusion"),
     ("complexes.tsv", "complexes"), ("x.parquet", "x"),
     ("4932.protein.links.v12.0.txt.gz", "4932.v12.0"),
     ("4932.protein.links.full.v12.0.txt", "4932.v12.0"),
     ("4932.protein.physical.links.v12.0.txt", "4932.physical.v12.0"),
     ("4932.protein.linkss.txt", "4932.protein.linkss")],
)  # fmt: skip
def test_names(path: str, name: str) -> None:
    assert name_of(Path(path)) == name
    assert name_of(Path(path), "fusion") == f"{name}.fusion"


def built(tmp_path: Path, **files: str) -> DataLayout:
    names = []
    for name, text in files.items():
        (tmp_path / f"{name}.txt").write_text(text)
        names.append(str(tmp_path / f"{name}.txt"))
    (tmp_path / "list").write_text("YAL001C\nYAL002W\nYZZ999C\n")
    sources = {"networks": names, "network_genes": str(tmp_path / "list")}
    return build(resolve(tiny_parameters(sources=sources)), tmp_path / "build")


def test_a_build_with_networks(tmp_path: Path) -> None:
    layout = built(tmp_path, one="1\t2\t0.5\n1\t3\t0.5\n", two="gene_a\tgene_b\nYAL003W\tYAL001C\n")
    ledger = json.loads(layout.ledger.read_text())["networks"]
    assert ledger["one"]["dropped"] == {"self": 0, "unknown_gene": 1, "weight": 0}
    genes = MutantStateDataset(layout.store).gene_ids
    networks = read_networks(layout, genes)
    assert networks.names == ("one", "two")
    assert networks.num_genes == len(genes)
    pair = sorted((genes.index("YAL001C"), genes.index("YAL002W")))
    np.testing.assert_array_equal(np.sort(networks.edges["one"]), [pair])
    assert networks.weights["two"].tolist() == [1.0]
    assert read_networks(layout, genes, ["two"]).names == ("two",)
    assert all(check.passed for check in verify(layout))
    with pytest.raises(InputError, match="no network 'three'; it has one, two"):
        read_networks(layout, genes, ["three"])
    (layout.networks / "two.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArtefactError, match=r"two\.parquet: its checksum differs"):
        read_networks(layout, genes)


def test_a_build_with_channels_of_string(tmp_path: Path) -> None:
    links = ["4932.YAL001C 4932.YAL002W 700 0 710", "4932.YAL002W 4932.YAL001C 700 0 710",
             "4932.YAL001C 4932.YZZ999C 0 300 300", "4932.YZZ999C 4932.YAL001C 0 300 300",
             "4932.YAL003W 4932.YAL003W 900 900 900"]  # fmt: skip
    header = "protein1 protein2 coexpression database combined_score"
    layout = built(tmp_path, string="\n".join([header, *links, ""]))
    ledger = json.loads(layout.ledger.read_text())["networks"]
    assert ledger["string.coexpression"] == {
        "rows": 5, "dropped": {"self": 1, "unknown_gene": 2, "weight": 0}, "merged": 1,
        "edges": 1, "genes": 2,
        "names": {"as_written": 3, "renamed": 0, "ambiguous": 0, "unresolved": 1},
    }  # fmt: skip
    assert ledger["string.database"]["dropped"] == {"self": 1, "unknown_gene": 2, "weight": 2}
    genes = MutantStateDataset(layout.store).gene_ids
    networks = read_networks(layout, genes, ["string.coexpression"])
    assert networks.weights["string.coexpression"].tolist() == [np.float32(0.7)]
    assert all(check.passed for check in verify(layout))


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("ABCDX"), st.sampled_from("ABCDX")), st.integers(0, 1000)
    )
)
@settings(max_examples=examples(40))
def test_both_directions_are_one_edge(scores: dict[tuple[str, str], int]) -> None:
    """A file that lists each pair twice, as STRING's do, gives what one of both would."""
    pairs = {pair: score for pair, score in scores.items() if pair <= pair[::-1]}
    rows = [(f"4.{a}", f"4.{b}", score) for (a, b), score in pairs.items()]
    twice = rows + [(b, a, score) for a, b, score in rows]

    def read(lines: list[tuple[str, str, int]]) -> tuple[pl.DataFrame, dict[str, Any]]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "links.txt"
            texts = ["protein1 protein2 combined_score", *(" ".join(map(str, r)) for r in lines)]
            path.write_text("\n".join(texts) + "\n")
            return clean(read_string(path)[""], GENES, Networks())

    (once, single), (table, account) = read(rows), read(twice)
    assert table.equals(once)
    assert account["merged"] == account["edges"] == single["edges"]
    assert account["dropped"] == {name: 2 * n for name, n in single["dropped"].items()}


def test_a_build_without(tiny_build: Path) -> None:
    with pytest.raises(InputError, match=r"no networks; build the data with sources\.networks"):
        read_networks(DataLayout(tiny_build), ["A"])


def test_two_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "n.tsv").write_text("gene_a\tgene_b\n")
    (tmp_path / "n.csv").write_text("gene_a,gene_b\n")
    sources = {"networks": [str(tmp_path / "n.tsv"), str(tmp_path / "n.csv")]}
    with pytest.raises(InputError, match="a second network of the name 'n'"):
        build(resolve(tiny_parameters(sources=sources)), tmp_path / "build")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    sources = {"networks": [str(tmp_path / "nowhere.tsv")]}
    with pytest.raises(InputError, match=r"nowhere\.tsv: no such file"):
        build(resolve(tiny_parameters(sources=sources)), tmp_path / "build")


@pytest.mark.real
def test_string_channels(real_data: Path, real_build: Path, tmp_path: Path) -> None:
    """Indices count from 1: then genes of one complex or pathway are linked."""
    from pipeline.networks.formats import read_gene_list, read_networks

    folder = real_data / "networks"
    genes = read_gene_list(folder / "string-v9.1_yeast_genes.txt.gz")
    assert len(genes) == 6400
    path = folder / "string-v9.1_yeast_database_adjacency.txt.gz"
    (edges,) = read_networks(path, genes).values()
    weight = {(a, b): w for a, b, w in edges.iter_rows()}
    for pair in (("YER012W", "YPR103W"), ("YDL140C", "YOR151C"), ("YBL084C", "YKL022C")):
        assert weight[pair] == weight[pair[::-1]] > 0.9  # proteasome, RNA polymerase II, APC
    known = MutantStateDataset(DataLayout(real_build).store).gene_ids
    table, account = clean(edges, known, Networks())
    assert account["rows"] == 66_972
    assert account["merged"] == table.height > 20_000
    assert account["dropped"]["self"] == 0
