"""Reading OBO: terms, edges, aliases, and clear words for what is wrong."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from data_specs.errors import InputError
from pipeline.ontology import read_ontology
from tests.conftest import TINY

HEADER = "format-version: 1.4\nontology: go\n\n"


def write(folder: Path, *stanzas: str) -> Path:
    path = folder / "onto.obo"
    path.write_text(HEADER + "\n\n".join(f"[Term]\n{stanza}" for stanza in stanzas) + "\n")
    return path


def term(number: int, *lines: str) -> str:
    return "\n".join([f"id: GO:{number}", f"name: term {number}", *lines])


def test_tiny_file() -> None:
    ontology = read_ontology(TINY / "tiny.obo")
    assert ontology.terms.height == 9
    assert ontology.version == "releases/tiny"
    assert set(ontology.terms.filter("obsolete")["term"]) == {"GO:0000008", "GO:0000009"}
    assert ("GO:0000005", "GO:0000003", "is_a") in ontology.edges.rows()
    assert ontology.edges.filter(pl.col("relation") == "part_of").is_empty()
    assert ontology.aliases.rows() == [
        ("GO:0000008", "GO:0000002", "replaced_by"),  # through the alternative id
        ("GO:0000009", None, "obsolete"),  # two replacements are none
        ("GO:0000902", "GO:0000002", "alt_id"),
    ]


def test_relations_are_chosen() -> None:
    edges = read_ontology(TINY / "tiny.obo", ("is_a", "part_of")).edges
    assert ("GO:0000007", "GO:0000004", "part_of") in edges.rows()


def test_gzipped_is_the_same(tmp_path: Path) -> None:
    zipped = tmp_path / "tiny.obo.gz"
    zipped.write_bytes(gzip.compress((TINY / "tiny.obo").read_bytes()))
    plain = read_ontology(TINY / "tiny.obo")
    assert read_ontology(zipped).edges.equals(plain.edges)


def test_comments_and_qualifiers_are_no_part_of_an_id(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        term(1),
        term(2, "alt_id: GO:7 ! seven", 'is_a: GO:1 {source="x"} ! term 1'),
        term(3, "is_obsolete: true", "replaced_by: GO:7 ! seven"),
    )
    ontology = read_ontology(path)
    assert ontology.edges.rows() == [("GO:2", "GO:1", "is_a")]
    assert ("GO:3", "GO:2", "replaced_by") in ontology.aliases.rows()


def test_edges_to_alternative_and_obsolete_parents(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        term(1, "alt_id: GO:11"),
        term(2, "is_a: GO:11"),
        term(3, "is_a: GO:4", "is_a: GO:2"),
        term(4, "is_obsolete: true"),
    )
    edges = read_ontology(path).edges
    assert edges.rows() == [("GO:2", "GO:1", "is_a"), ("GO:3", "GO:2", "is_a")]


def test_cycle_is_printed_with_a_way_out(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        term(1),
        term(2, "is_a: GO:1", "relationship: part_of GO:4"),
        term(3, "is_a: GO:2"),
        term(4, "is_a: GO:3"),
    )
    with pytest.raises(InputError) as error:
        read_ontology(path, ("is_a", "part_of"))
    assert "GO:2 -part_of-> GO:4 -is_a-> GO:3 -is_a-> GO:2" in str(error.value)
    assert "hierarchy.relations=[is_a]" in str(error.value)
    assert read_ontology(path).edges.height == 3


def test_cycle_over_is_a_has_no_way_out(tmp_path: Path) -> None:
    path = write(tmp_path, term(1, "is_a: GO:2"), term(2, "is_a: GO:1"))
    with pytest.raises(InputError, match="no choice of relations avoids it"):
        read_ontology(path)


def test_undefined_parent_is_found_by_line(tmp_path: Path) -> None:
    path = write(tmp_path, term(1), term(2, "is_a: GO:1", "is_a: GO:99 ! nowhere"))
    with pytest.raises(InputError, match=r"onto\.obo:12: GO:2 is_a 'GO:99'"):
        read_ontology(path)


@pytest.mark.parametrize("text", ["", HEADER, "some other text\n", "<html>404</html>"])
def test_no_terms(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.obo"
    path.write_text(text)
    with pytest.raises(InputError, match="no terms"):
        read_ontology(path)


def test_term_defined_twice(tmp_path: Path) -> None:
    path = write(tmp_path, term(1), term(2), term(1))
    with pytest.raises(InputError, match=r"onto\.obo:13: 'GO:1' is defined twice"):
        read_ontology(path)


def test_stanzas_without_blank_lines_between(tmp_path: Path) -> None:
    path = tmp_path / "dense.obo"
    path.write_text(HEADER + "[Term]\nid: GO:1\nname: a\n[Term]\nid: GO:2\nname: b\n")
    with pytest.raises(InputError, match="blank line between stanzas"):
        read_ontology(path)


def test_alternative_id_of_two_terms(tmp_path: Path) -> None:
    path = write(tmp_path, term(1, "alt_id: GO:9"), term(2, "alt_id: GO:9"))
    with pytest.raises(InputError, match="claimed by GO:1 and GO:2"):
        read_ontology(path)


def test_the_virtual_root_may_be_named_but_has_no_parent(tmp_path: Path) -> None:
    root = "id: GO:ROOT\nname: root"
    ontology = read_ontology(write(tmp_path, root, term(1, "is_a: GO:ROOT")))
    assert ontology.edges.rows() == [("GO:1", "GO:ROOT", "is_a")]
    path = write(tmp_path, f"{root}\nis_a: GO:1", term(1))
    with pytest.raises(InputError, match=r"'GO:1' is a parent of 'GO:ROOT', the id of the virtual"):
        read_ontology(path)


def test_truncated_gzip(tmp_path: Path) -> None:
    path = tmp_path / "cut.obo.gz"
    path.write_bytes(gzip.compress((TINY / "tiny.obo").read_bytes())[:-40])
    with pytest.raises(InputError, match="the file is cut off"):
        read_ontology(path)


@pytest.mark.real
def test_real_ontology(real_data: Path) -> None:
    ontology = read_ontology(real_data / "go" / "go-2019-01-27.obo.gz")
    assert ontology.version == "releases/2019-01-27"
    live = ontology.terms.filter(~pl.col("obsolete"))
    alternatives = set(ontology.aliases["id"]) - set(ontology.terms["term"])
    assert (ontology.terms.height, live.height) == (47_347, 45_013)
    assert len(alternatives) == 2_432
