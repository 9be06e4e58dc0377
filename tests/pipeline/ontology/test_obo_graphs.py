"""OBO graphs JSON gives what the OBO file of the same ontology gives."""

import json
from pathlib import Path
from typing import Any

import pytest

from data_specs.errors import InputError, ParameterError
from pipeline.ontology.obo import read_obo
from pipeline.ontology.stage import read_ontology
from tests.conftest import TINY

OBO = "http://purl.obolibrary.org/obo/"
OWL = "http://www.geneontology.org/formats/oboInOwl#"


def address(term: str) -> str:
    return OBO + term.replace(":", "_")


def graph_of(obo: Path) -> dict[str, Any]:
    """An ontology as OBO graphs, in the form in which ROBOT writes them."""
    file = read_obo(obo.read_text(), obo)
    nodes: list[dict[str, Any]] = [
        {"id": address("BFO:0000050"), "lbl": "part of", "type": "PROPERTY",
         "meta": {"basicPropertyValues": [{"pred": f"{OWL}shorthand", "val": "part_of"}]}},
    ]  # fmt: skip
    edges = []
    for record in file.records.values():
        values = [{"pred": f"{OWL}hasOBONamespace", "val": record.namespace}]
        values += [{"pred": f"{OWL}hasAlternativeId", "val": alt} for alt in record.alt_ids]
        values += [{"pred": address("IAO:0100001"), "val": address(t)} for t in record.replaced_by]
        meta: dict[str, Any] = {"basicPropertyValues": values}
        if record.obsolete:
            meta["deprecated"] = True
        nodes.append(
            {"id": address(record.term), "lbl": record.name, "type": "CLASS", "meta": meta}
        )
        # ROBOT writes a node for an alternative id too.
        nodes += [
            {"id": address(alt), "type": "CLASS", "meta": {
                "deprecated": True,
                "basicPropertyValues": [
                    {"pred": address("IAO:0100001"), "val": address(record.term)}
                ],
            }}
            for alt in record.alt_ids
        ]  # fmt: skip
        relations = {"is_a": "is_a", "part_of": address("BFO:0000050")}
        edges += [
            {
                "sub": address(record.term),
                "pred": relations[edge.relation],
                "obj": address(edge.term),
            }
            for edge in record.parents
        ]
    version = {"version": f"{OBO}go/releases/tiny/go.json"}
    return {"graphs": [{"id": f"{OBO}go.json", "meta": version, "nodes": nodes, "edges": edges}]}


def write(folder: Path, content: Any) -> Path:
    path = folder / "tiny.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("relations", [("is_a",), ("is_a", "part_of")])
def test_the_same_as_obo(tmp_path: Path, relations: tuple[str, ...]) -> None:
    found = read_ontology(write(tmp_path, graph_of(TINY / "tiny.obo")), relations)
    expected = read_ontology(TINY / "tiny.obo", relations)
    assert found.terms.equals(expected.terms)
    assert found.edges.equals(expected.edges)
    assert found.aliases.equals(expected.aliases)
    assert (found.version, found.dropped_edges) == (expected.version, expected.dropped_edges)


def test_a_relation_without_a_node_has_its_usual_name(tmp_path: Path) -> None:
    graph = graph_of(TINY / "tiny.obo")
    del graph["graphs"][0]["nodes"][0]
    found = read_ontology(write(tmp_path, graph), ("is_a", "part_of"))
    assert "part_of" in found.edges["relation"].to_list()
    with pytest.raises(
        ParameterError, match=r"'part_off' is in no live term .* did you mean 'part_of'"
    ):
        read_ontology(write(tmp_path, graph), ("is_a", "part_off"))


def test_ids_of_other_places_are_kept(tmp_path: Path) -> None:
    nodes = [{"id": "http://www.ebi.ac.uk/efo/EFO_0000001", "lbl": "a\nb", "type": "CLASS"},
             {"id": "HP:1", "type": "CLASS"}, {"id": "urn:x", "type": "CLASS"},
             {"id": "http://x.org/someone", "type": "INDIVIDUAL"}]  # fmt: skip
    edges = [{"sub": "HP:1", "pred": "is_a", "obj": "http://www.ebi.ac.uk/efo/EFO_0000001"}]
    found = read_ontology(write(tmp_path, {"graphs": [{"nodes": nodes, "edges": edges}]}))
    assert found.terms.select("term", "name", "namespace").rows() == [
        ("EFO:0000001", "a b", "default"), ("HP:1", "", "default"), ("urn:x", "", "default"),
    ]  # fmt: skip
    assert found.edges.rows() == [("HP:1", "EFO:0000001", "is_a")]


NODE = {"id": "A:1", "type": "CLASS"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"graphs": [', "not readable as JSON"),
        ({"graphs": []}, "holds 0 graphs; expected one"),
        ({"graphs": [{}, {}]}, "holds 2 graphs; expected one"),
        ({"graphs": 3}, r"the file has 'graphs' 3; expected a list"),
        ({"graphs": [{"nodes": []}]}, "no terms; expected nodes of the type CLASS"),
        ({"graphs": [{"nodes": [{"lbl": "x"}]}]}, "node 0 has 'id' None; expected an id"),
        ({"graphs": [{"nodes": [NODE, NODE]}]}, "'A:1' is defined twice"),
        ({"graphs": [{"nodes": [NODE], "edges": [{"sub": "A:1", "pred": "is_a"}]}]},
         "edge 0 has 'obj' None; expected an id"),
        ({"graphs": [{"nodes": [NODE], "edges": [{"sub": "A:1", "pred": "is_a", "obj": "B:1"}]}]},
         "tiny.json: A:1 is_a 'B:1', which the file does not define"),
        ('{"graphs": [{"nodes": [{"id": "A:1", "lbl": "\\ud800"}]}]}', "half of a pair"),
        ({"graphs": [{"nodes": [NODE | {"meta": {"basicPropertyValues": 3}}]}]},
         "A:1: basicPropertyValues is no list"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_ontology(write(tmp_path, content))
