"""GenNet's layered CSV."""

import csv
import io
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_specs.errors import InputError
from pipeline.exchange.gennet import is_gennet, read, write
from pipeline.exchange.topology import Topology
from pipeline.export.command import of_cell_graph
from tests.hierarchies import random_cell_graph

PATH = Path("topology.csv")
# c is a leaf below b and, directly, below a; y stands at a itself, two layers above the genes'.
SMALL = Topology.of("abc", [("b", "a"), ("c", "b"), ("c", "a")], [("c", "x"), ("a", "y")])
SMALL_CSV = """\
layer0_node,layer0_name,layer1_node,layer1_name,layer2_node,layer2_name,layer3_node,layer3_name
0,x,0,c,0,b,0,a
0,x,0,c,1,c,0,a
1,y,1,y,2,y,0,a
"""
# The header and the padding of the examples that come with GenNet.
PUBLISHED = """\
chr,layer0_node,layer0_name,layer1_node,layer1_name,layer2_node,layer2_name
0,0,SNP0       ,0,HERC2      ,0,Causal_path
0,1,SNP1       ,0,HERC2      ,0,Causal_path
5,2,SNP50      ,1,VEGFA      ,1,Control_path
"""


def masks(text: str, inputs: int) -> list[set[tuple[int, int]]]:
    """The links that GenNet makes: of each two neighbouring columns `node`, row by row."""
    rows = list(csv.DictReader(io.StringIO(text)))
    columns = [column for column in rows[0] if "node" in column]
    found = [
        {(int(row[low]), int(row[high])) for row in rows}
        for low, high in itertools.pairwise(columns)
    ]
    assert {low for low, _ in found[0]} == set(range(inputs))
    for below, above in itertools.pairwise(found):
        assert {high for _, high in below} == {low for low, _ in above}
    return found


def test_what_is_over_several_layers_is_passed_on() -> None:
    assert write(SMALL) == SMALL_CSV
    assert read(SMALL_CSV, PATH).edges == SMALL.edges
    assert read(SMALL_CSV, PATH).annotations == SMALL.annotations


def test_a_root_alone() -> None:
    alone = Topology.of("a", [], [("a", "x"), ("a", "y")])
    assert read(write(alone), PATH) == alone


def test_the_examples_of_gennet_are_read() -> None:
    assert is_gennet(PUBLISHED.splitlines()[0])
    found = read(PUBLISHED, PATH)
    assert found.genes == ("SNP0", "SNP1", "SNP50")
    assert found.edges == (("HERC2", "Causal_path"), ("VEGFA", "Control_path"))
    assert found.roots == ["Causal_path", "Control_path"]


@given(st.integers(0, 10_000), st.integers(2, 16))
def test_gennet_links_every_edge_once(seed: int, terms: int) -> None:
    """Its masks have a link for each edge and one for each layer that something passes through."""
    hierarchy = of_cell_graph(random_cell_graph(seed, terms=terms, genes=9))
    text = write(hierarchy)
    found = masks(text, len(hierarchy.genes))
    rows = list(csv.reader(io.StringIO(text)))[1:]
    names = [dict(zip(row[::2], row[1::2], strict=True)) for row in rows]
    assert names
    passing = sum(
        low == high
        for layer in range(len(found))
        for low, high in {(row[2 * layer + 1], row[2 * layer + 3]) for row in rows}
    )
    assert sum(map(len, found)) == len(hierarchy.edges) + len(hierarchy.annotations) + passing
    assert len(rows) <= sum(map(len, found))
    assert {row[-1] for row in rows} == set(hierarchy.roots)


def test_blank_lines_and_windows_lines() -> None:
    text = "\n" + PUBLISHED.replace("\n", "\r\n") + "\r\n"
    assert read(text, PATH) == read(PUBLISHED, PATH)


def test_a_gene_named_like_a_term() -> None:
    with pytest.raises(InputError, match="'b' is the id of a term and of a gene"):
        write(Topology.of("ab", [("b", "a")], [("b", "b")]))


def test_a_term_without_genes() -> None:
    with pytest.raises(InputError, match="term 'b' has neither genes nor children"):
        write(Topology.of("ab", [("b", "a")], [("a", "x")]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layer0_node,layer0_name\n0,x\n", r"csv: one layer"),
        ("layer0_node,layer0_name,layer1_node\n0,x,0\n", r"csv: no column 'layer1_name'"),
        ("layer0_node,layer2_name\n0,x\n", r"csv: no column 'layer0_name'"),
        ('"' + SMALL_CSV, r"csv: the header has no column 'layer0_node'"),
        (SMALL_CSV + "0,x\n", r"csv:5: 2 columns; the header has 8"),
        (SMALL_CSV + "2,,0,c,0,b,0,a\n", r"csv:5: layer0 has no name or no number"),
        (SMALL_CSV + "0,z,0,c,0,b,0,a\n", r"csv:5: node 0 of layer0 is 'z' here and 'x' above"),
        (SMALL_CSV + "2,z,2,x,0,b,0,a\n", r"csv: 'x' stands in layer0, so it is a gene"),
    ],
)
def test_errors_name_the_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(text, PATH)
