"""Files of cell lines by their names, and cell graphs whose genes have channels."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_specs.cell_graph import CellGraph
from data_specs.cell_graph_checks import fault_of
from data_specs.cell_lines import (
    CellFiles,
    gene_and_channel,
    input_name,
    with_channels,
    without_channels,
)
from data_specs.errors import ArtefactError, InputError
from data_specs.gene_names import GeneNames
from tests.hierarchies import random_cell_graph

CHANNELS = ("amp", "del", "mut")


@given(seed=st.integers(0, 1000), channels=st.sampled_from([CHANNELS[:1], CHANNELS[:2], CHANNELS]))
def test_every_gene_is_an_input_a_channel(seed: int, channels: tuple[str, ...]) -> None:
    graph = random_cell_graph(seed)
    made = with_channels(graph, channels)
    assert fault_of(made) is None
    assert list(made.gene_ids) == sorted(made.gene_ids)
    before = {(int(t), graph.gene_ids[g]) for t, g in graph.annotations}
    now = [(int(t), gene_and_channel(made.gene_ids[g])) for t, g in made.annotations]
    assert {(term, gene) for term, (gene, _) in now} == before
    assert len(now) == len(before) * len(channels)
    np.testing.assert_array_equal(made.genes_contained, graph.genes_contained)
    back = without_channels(made)
    for name in ("gene_ids", "annotations", "edges", "strata"):
        np.testing.assert_array_equal(getattr(back, name), getattr(graph, name))
    assert back.fingerprint == graph.fingerprint != made.fingerprint


def test_genes_sort_by_their_whole_names() -> None:
    """`A1-B` comes before `A1` once both have a channel."""
    graph = dataclasses.replace(random_cell_graph(0, genes=3), gene_ids=["A1", "A1-B", "B"])
    made = with_channels(graph, CHANNELS)
    assert list(made.gene_ids)[:2] == ["A1-B:amp", "A1-B:del"]
    assert fault_of(made) is None
    assert without_channels(made).fingerprint == graph.fingerprint


def test_no_channels_is_the_same_graph() -> None:
    graph = random_cell_graph(0)
    assert with_channels(graph, ()) is graph
    assert without_channels(graph) is graph


def test_channels_are_read_back(tmp_path: Path) -> None:
    names = (("p53", "G001", "symbol"), ("old", "G002", "synonym"))
    graph = with_channels(dataclasses.replace(random_cell_graph(0), gene_names=names), CHANNELS)
    graph.write(tmp_path / "graph")
    back = CellGraph.read(tmp_path / "graph")
    assert back.channels == CHANNELS
    assert back.fingerprint == graph.fingerprint
    known = GeneNames.of(back)
    assert known.gene("P53:del") == "G001:del"
    assert known.symbol("G001:del") == "p53:del"
    assert known.gene("old:mut") == "G002:mut"
    assert known.gene("p53") is None


def test_a_gene_without_one_of_its_channels_is_a_fault(tmp_path: Path) -> None:
    graph = with_channels(random_cell_graph(0), CHANNELS)
    less = dataclasses.replace(graph, annotations=graph.annotations[1:])
    less.write(tmp_path / "graph")
    with pytest.raises(ArtefactError, match="a gene without all of its channels"):
        CellGraph.read(tmp_path / "graph")


def test_names_of_inputs() -> None:
    assert gene_and_channel(input_name("HLA:A", "mut")) == ("HLA:A", "mut")


def test_files_are_told_by_their_names() -> None:
    paths = [Path("x", name) for name in ("cell2mutation.txt.gz", "gene2ind.txt", "cell2ind.txt",
                                          "cell2cnamplification.csv")]  # fmt: skip
    files = CellFiles.of(paths)
    assert files.genes == paths[1]
    assert files.cells == paths[2]
    assert list(files.alterations.items()) == [
        ("cnamplification", paths[3]), ("mutation", paths[0]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["cell2ind.txt", "cell2mutation.txt"], "has no gene2ind.txt"),
        (["gene2ind.txt", "cell2mutation.txt"], "has no cell2ind.txt"),
        (["gene2ind.txt", "cell2ind.txt"], "no table of alterations"),
        (["gene2ind.txt", "gene2ind.tsv"], "a second 'gene2ind'"),
        (["genes.txt"], "genes.txt: not one of the files of cell lines"),
        (["cell2.txt"], "not one of the files"),
    ],
)
def test_files_that_are_missing_or_too_many(names: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        CellFiles.of(map(Path, names))
