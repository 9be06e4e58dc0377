"""Reactome's relations: pathways of all species, and the names that annotation files give them."""

from pathlib import Path

import pytest

from data_specs.errors import InputError
from pipeline.annotations import read_lines
from pipeline.ontology.stage import named, read_ontology

RELATIONS = "R-HSA-10\tR-HSA-11\nR-HSA-10\tR-HSA-12\nR-HSA-11\tR-HSA-13.2\nR-MMU-10\tR-MMU-11\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_relations_are_edges(tmp_path: Path) -> None:
    ontology = read_ontology(write(tmp_path / "x", RELATIONS))
    assert ontology.edges.rows() == [
        ("R-HSA-11", "R-HSA-10", "is_a"), ("R-HSA-12", "R-HSA-10", "is_a"),
        ("R-HSA-13.2", "R-HSA-11", "is_a"), ("R-MMU-11", "R-MMU-10", "is_a"),
    ]  # fmt: skip
    assert ontology.terms["name"].to_list() == ontology.terms["term"].to_list()
    assert set(ontology.terms["namespace"]) == {"HSA", "MMU"}
    assert not ontology.terms["obsolete"].any()


def test_names_come_from_annotations(tmp_path: Path) -> None:
    ontology = read_ontology(write(tmp_path / "x", RELATIONS))
    sets = write(tmp_path / "a.gmt", "DNA repair\tR-HSA-10\tMLH1\nOther\tR-HSA-99\tMLH1\tA\n")
    address = "https://reactome.org/PathwayBrowser/#/R-HSA-10"
    mapping = write(
        tmp_path / "b.txt",
        f"1\tR-HSA-10\t{address}\tanother name\tTAS\tHomo sapiens\n"
        f"2\tR-HSA-12\t{address}\tBER\tTAS\tHomo sapiens\n",
    )
    found = named(ontology, [read_lines(sets), read_lines(mapping)])
    names = dict(found.terms.select("term", "name").iter_rows())
    assert names == {
        "R-HSA-10": "DNA repair", "R-HSA-11": "R-HSA-11", "R-HSA-12": "BER",
        "R-HSA-13.2": "R-HSA-13.2", "R-MMU-10": "R-MMU-10", "R-MMU-11": "R-MMU-11",
    }  # fmt: skip
    assert named(ontology, []) is ontology


@pytest.mark.parametrize("line", ["R-HSA-1", "R-HSA-1\tHSA-2", "R-HSA-1\tR-HSA-2\tR-HSA-3"])
def test_another_line_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match=r"x:5: found 'R-HSA-1.*expected two ids of pathways"):
        read_ontology(write(tmp_path / "x", RELATIONS + line + "\n"))


def test_a_cycle_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the ontology has a cycle: R-HSA-10 -is_a->"):
        read_ontology(write(tmp_path / "x", RELATIONS + "R-HSA-13.2\tR-HSA-10\n"))
