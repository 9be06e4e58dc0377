"""The small OBO and GAF files that go wrong, through the readers of a build."""

from pathlib import Path

import pytest

from data_specs.parameters.sections import Annotations
from pipeline.annotations.stage import read_annotations
from pipeline.ontology.stage import Ontology, read_ontology


def of(folder: Path, name: str) -> Ontology:
    return read_ontology(folder / "cases" / "obo" / f"{name}.obo")


@pytest.mark.real
@pytest.mark.parametrize(
    "name", ["blank_in_stanza", "no_space", "repl_nospace", "obsolete_comment"]
)
def test_what_means_the_same_as_the_good_one(real_data: Path, name: str) -> None:
    good, other = of(real_data, "ok"), of(real_data, name)
    assert other.terms.equals(good.terms)
    assert other.edges.equals(good.edges)
    assert other.aliases.equals(good.aliases)


@pytest.mark.real
def test_a_chain_of_replacements(real_data: Path) -> None:
    assert ("GO:0000009", "GO:0000002", "replaced_by") in of(real_data, "chain").aliases.rows()


@pytest.mark.real
def test_a_conditional_relationship(real_data: Path) -> None:
    path = real_data / "cases" / "obo" / "gci_filler.obo"
    ontology = read_ontology(path, ("is_a", "part_of"))
    assert set(ontology.edges["relation"]) == {"is_a"}
    assert ontology.dropped_edges["conditional"] == 1


@pytest.mark.real
def test_evidence_with_a_blank(real_data: Path) -> None:
    ontology = of(real_data, "ok")
    path = real_data / "cases" / "gaf" / "evidence_blank.gaf"
    config = Annotations(exclude_evidence=("IGI",))
    table = read_annotations(path, ontology.terms, ontology.aliases, config)
    assert table.dropped["evidence"] == 2
    assert "YBL001C" not in set(table.pairs["gene"])
