"""What is exported comes back: on random hierarchies, on a build, and from file to file."""

import dataclasses
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_specs.cell_graph import CellGraph
from data_specs.errors import InputError
from data_specs.layout import DataLayout
from data_specs.parameters.sections import Annotations, resolve
from data_specs.raw_files import read_text
from data_specs.tables import ROOT
from pipeline.annotations.stage import from_topology, read_annotations
from pipeline.build import build
from pipeline.exchange.formats import FIELDS, FORMATS
from pipeline.exchange.reading import reader_of
from pipeline.exchange.topology import Topology
from pipeline.export.command import export, load, of_cell_graph, render
from pipeline.ontology.stage import read_ontology
from tests.conftest import TINY, examples, tiny_parameters
from tests.hierarchies import random_cell_graph

NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp")), min_size=1, max_size=12
).filter(lambda name: name == name.strip())


KINDS = st.sampled_from(["symbol", "synonym"])


@st.composite
def hierarchies(draw: st.DrawFn) -> Topology:
    """Random hierarchies under the virtual root, with names and namespaces."""
    terms = draw(st.integers(2, 14))
    graph = random_cell_graph(draw(st.integers(0, 10_000)), terms=terms, genes=9)
    graph = dataclasses.replace(
        graph,
        term_ids=[ROOT, *graph.term_ids[1:]],
        term_names=["root", *(draw(NAMES) for _ in range(terms - 1))],
    )
    called = draw(
        st.lists(st.tuples(NAMES, st.sampled_from(graph.gene_ids), KINDS), min_size=1, max_size=9)
    )
    kinds = {(name.replace("|", "/"), gene): kind for name, gene, kind in called}
    annotated = graph.gene_ids[graph.annotations[0, 1]]
    names = (
        *((name, gene, kind) for (name, gene), kind in kinds.items()),
        ("A 1", annotated, "symbol"),
    )
    graph = dataclasses.replace(graph, gene_names=names)
    return of_cell_graph(graph, {term: draw(NAMES) for term in graph.term_ids[1:]})


def read_back(folder: Path, kind: str) -> dict[str, object]:
    """The fields of a hierarchy as the stages `ontology` and `annotations` read it."""
    path = folder / FORMATS[kind].files[0]
    ontology = read_ontology(path)
    if kind == "obo":
        found = read_annotations(
            folder / "annotations.gaf", ontology.terms, ontology.aliases, Annotations()
        )
    else:
        found = from_topology(path)
    named = ontology.terms.filter(pl.col("term") != ROOT)
    return {
        "terms": set(ontology.terms["term"]),
        "edges": set(ontology.edges.select("child", "parent").iter_rows()),
        "annotations": set(found.pairs.iter_rows()),
        "names": dict(named.select("term", "name").iter_rows()),
        "namespaces": dict(named.select("term", "namespace").iter_rows()),
        "gene names": found.names.filter(pl.col("kind") != "systematic").rows(),
    }


def fields_of(hierarchy: Topology) -> dict[str, object]:
    terms = [term for term in hierarchy.terms if term != ROOT]
    return {
        "terms": set(hierarchy.terms),
        "edges": set(hierarchy.edges),
        "annotations": set(hierarchy.annotations),
        "names": {term: hierarchy.names[term] for term in terms},
        "namespaces": {term: hierarchy.namespaces[term] for term in terms},
        "gene names": list(hierarchy.gene_names),
    }


@pytest.mark.parametrize("kind", FORMATS)
def test_round_trip_keeps_what_the_format_says_and_no_more(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @given(hierarchies())
    @settings(max_examples=examples(30))
    def check(hierarchy: Topology) -> None:
        folder = tmp_path_factory.mktemp(kind)
        texts = render(hierarchy, kind)
        assert texts == render(hierarchy, kind)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="")
        found, expected = read_back(folder, kind), fields_of(hierarchy)
        for field in FORMATS[kind].keeps:
            assert found[field] == expected[field], field
        for field in set(FIELDS) - set(FORMATS[kind].keeps):
            assert found[field] != expected[field], field

    check()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_build_from_the_export_is_the_same_cell_graph(
    kind: str, tiny_build: Path, tmp_path: Path
) -> None:
    graph = CellGraph.read(tiny_build / "cell_graph")
    folder = tmp_path / "export"
    assert [file.name for file in export(tiny_build, kind, folder)] == list(FORMATS[kind].files)
    given = tiny_parameters(
        sources={
            "ontology": str(folder / FORMATS[kind].files[0]),
            "annotations": str(folder / "annotations.gaf") if kind == "obo" else None,
        },
        hierarchy={"steps": []},
    )
    layout = build(resolve(given), tmp_path / "again")
    again = CellGraph.read(layout.cell_graph)
    assert again.fingerprint == graph.fingerprint
    if "names" in FORMATS[kind].keeps:
        assert again.term_names == graph.term_names
        columns = ("term", "namespace")
        assert (
            pl.read_parquet(layout.hierarchy / "terms.parquet", columns=columns).rows()
            == pl.read_parquet(tiny_build / "hierarchy" / "terms.parquet", columns=columns).rows()
        )
        own = [row for row in graph.gene_names if row[1] in graph.gene_ids]
        assert {kind for _, _, kind in own} == {"symbol", "synonym"}
        assert list(again.gene_names) == own
    assert render(load(tmp_path / "again"), kind) == {
        name: read_text(folder / name) for name in FORMATS[kind].files
    }


def test_genes_of_the_root_and_its_redundant_edges_come_back(tmp_path: Path) -> None:
    """A term that hangs under the root and under another, and genes that pruning pushed up."""
    hierarchy = Topology.of(
        ("a", "b", ROOT), [("a", ROOT), ("b", ROOT), ("b", "a")], [(ROOT, "x"), ("b", "y")]
    )
    (tmp_path / "hierarchy.topology").write_text(
        render(hierarchy, "topology")["hierarchy.topology"]
    )
    pl.DataFrame({"genes": ["x", "y", "x|y"], "fitness": [1.0, 0.9, 0.8]}).write_csv(
        tmp_path / "genotypes.csv"
    )
    given = {
        "sources": {
            "profile": "local",
            "ontology": str(tmp_path / "hierarchy.topology"),
            "genotypes": [str(tmp_path / "genotypes.csv")],
        },
        "hierarchy": {"steps": []},
    }
    graph = CellGraph.read(build(resolve(given), tmp_path / "build").cell_graph)
    assert graph.term_ids == [ROOT, "a", "b"]
    assert graph.edges.tolist() == [[1, 0], [2, 0], [2, 1]]
    assert graph.annotations.tolist() == [[0, 0], [2, 1]]


@pytest.mark.parametrize("kind", sorted(FORMATS.keys() - {"obo"}))
@pytest.mark.parametrize("other", FORMATS)
def test_from_file_to_file(kind: str, other: str, tiny_build: Path, tmp_path: Path) -> None:
    """By way of any other format the same text comes out, names aside."""
    export(tiny_build, kind, tmp_path / "first")
    file = tmp_path / "first" / FORMATS[kind].files[0]
    export(file, other, tmp_path / "second")
    bare = dataclasses.replace(load(tiny_build), names={}, namespaces={}, gene_names=())
    through = load(file)
    expected = load(tiny_build) if "names" in FORMATS[kind].keeps else bare
    assert dataclasses.replace(through, lines=0) == dataclasses.replace(expected, lines=0)
    for name, text in render(through, other).items():
        assert read_text(tmp_path / "second" / name) == text


def test_several_roots_hang_under_one() -> None:
    hierarchy = Topology.of("ab", [], [("a", "x"), ("b", "y")])
    written = render(hierarchy, "drugcell")["drugcell_ont.txt"]
    assert written == f"{ROOT}\ta\tdefault\n{ROOT}\tb\tdefault\na\tx\tgene\nb\ty\tgene\n"


@pytest.mark.parametrize("odd", ["a b", "a,b", "a|b", "", "a\x00"])
def test_ids_that_separators_would_cut_are_refused(odd: str) -> None:
    with pytest.raises(InputError, match=r"the gene id .* cannot be exported"):
        render(Topology.of("t", [], [("t", odd)]), "cx2")
    with pytest.raises(InputError, match=r"the term id .* cannot be exported"):
        render(Topology.of([odd], [], [(odd, "g")]), "obo")


@pytest.mark.parametrize("kind", ["gennet", "graphml"])
def test_separators_are_no_matter_where_ids_stand_alone(kind: str) -> None:
    odd = Topology.of(["a, b", 'a|"b"'], [('a|"b"', "a, b")], [('a|"b"', "g h"), ("a, b", "<g>")])
    text = render(odd, kind)[FORMATS[kind].files[0]]
    reader = reader_of(text)
    assert reader is not None
    assert reader(text, Path("x")) == odd
    with pytest.raises(InputError, match="cannot be exported"):
        render(Topology.of("t", [], [("t", " g")]), kind)


def test_control_characters_in_names_are_refused() -> None:
    with pytest.raises(InputError, match="term 't': the name 'a\\\\nb' cannot be exported"):
        render(Topology.of("t", [], [("t", "g")], {"t": "a\nb"}), "obo")


@pytest.mark.parametrize("odd", ["a|b", "a\tb", " a"])
def test_names_of_genes_that_would_be_cut_are_refused(odd: str) -> None:
    named = Topology.of("t", [], [("t", "g")], gene_names=[(odd, "g", "symbol")])
    with pytest.raises(InputError, match=r"gene .g.: the name .* cannot be exported as obo"):
        render(named, "obo")
    assert "g" in render(named, "drugcell")["drugcell_ont.txt"]  # it has no names at all


def test_no_folder_is_written_over(tiny_build: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(InputError, match="exists; name a new or empty folder"):
        export(tiny_build, "cx2", tmp_path / "full")
    (tmp_path / "empty").mkdir()
    export(tiny_build, "cx2", tmp_path / "empty")


def test_an_obo_has_no_annotations_to_export(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no hierarchy with annotations of its own"):
        export(TINY / "tiny.obo", "cx2", tmp_path / "out")


def test_a_folder_that_is_no_build(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"cell_graph\.json: no such file"):
        export(tmp_path / "other", "cx2", tmp_path / "out")
    assert DataLayout(tmp_path / "out").root.exists() is False


@pytest.mark.real
@pytest.mark.parametrize("kind", FORMATS)
def test_the_authors_hierarchies(kind: str, real_data: Path, tmp_path: Path) -> None:
    """DCell's DNA repair and DrugCell's ontology, through every format."""
    for name, file in (
        ("dcell", real_data / "genotypes" / "dcell_GO_0006281.topology"),
        ("drugcell", real_data / "drugcell" / "drugcell_ont.txt"),
    ):
        export(file, kind, tmp_path / name)
        given = load(file)
        found = read_back(tmp_path / name, kind)
        for field in ("terms", "edges", "annotations"):
            assert found[field] == set(getattr(given, field)), (name, field)


@pytest.mark.real
def test_drugcell_gene_indices_are_sorted_anew(real_data: Path, tmp_path: Path) -> None:
    """The authors' file is sorted without regard to hyphens: same genes, other numbers."""
    export(real_data / "drugcell" / "drugcell_ont.txt", "drugcell", tmp_path / "out")
    written = (tmp_path / "out" / "gene2ind.txt").read_text().split()
    given = (real_data / "drugcell" / "gene2ind.txt").read_text().split()
    assert written[1::2] == sorted(given[1::2])
    assert written[::2] == given[::2]


def test_formats_are_told_by_content(tiny_build: Path) -> None:
    hierarchy = load(tiny_build)
    for kind in FORMATS.keys() - {"obo"}:
        text = render(hierarchy, kind)[FORMATS[kind].files[0]]
        assert reader_of(text) is not None, kind
    assert reader_of(render(hierarchy, "obo")["hierarchy.obo"]) is None
