"""Reading OBO: terms, edges, aliases, and clear words for what is wrong."""

import gzip
from pathlib import Path

import polars as pl
import pytest
from goatools.obo_parser import OBOReader

from data_specs.errors import InputError, ParameterError
from data_specs.raw_files import read_text
from pipeline.ontology.obo import read_obo
from pipeline.ontology.stage import read_ontology
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
    assert "ontology.relations=[is_a]" in str(error.value)
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


def test_replacements_are_followed_through_obsolete_terms(tmp_path: Path) -> None:
    gone = "is_obsolete: true"
    path = write(
        tmp_path,
        term(1, "alt_id: GO:11", "alt_id: GO:12"),
        term(2),
        term(3, gone, "replaced_by: GO:4"),
        term(4, gone, "replaced_by: GO:5"),
        term(5, gone, "replaced_by: GO:11"),
        term(6, gone, "replaced_by: GO:7"),  # in a circle
        term(7, gone, "replaced_by: GO:6"),
        term(8, gone, "replaced_by: GO:3", "replaced_by: GO:1"),  # two ways to one end
        term(9, gone, "replaced_by: GO:3", "replaced_by: GO:2"),  # two ends
        term(12, gone),  # a stub that is an alternative id
        term(13, gone, "replaced_by: GO:12", "replaced_by: GO:99"),
        term(14, gone, "replaced_by: GO:2", "alt_id: GO:15"),
        term(16, gone, "consider: GO:2"),
    )
    ends = {row[0]: row[1:] for row in read_ontology(path).aliases.rows()}
    assert ends == {
        "GO:11": ("GO:1", "alt_id"),
        "GO:12": ("GO:1", "alt_id"),
        "GO:15": ("GO:2", "replaced_by"),
        **{f"GO:{n}": ("GO:1", "replaced_by") for n in (3, 4, 5, 8, 13)},
        "GO:14": ("GO:2", "replaced_by"),
        **{f"GO:{n}": (None, "obsolete") for n in (6, 7, 9, 16)},
    }


def test_a_stub_that_two_terms_claim_leads_nowhere(tmp_path: Path) -> None:
    stub = term(3, "is_obsolete: true")
    path = write(tmp_path, term(1, "alt_id: GO:3"), term(2, "alt_id: GO:3"), stub)
    assert read_ontology(path).aliases.rows() == [("GO:3", None, "obsolete")]


def test_dropped_edges_are_counted(tmp_path: Path) -> None:
    gci = '{gci_relation="part_of", gci_filler="GO:1"}'
    path = write(
        tmp_path,
        term(1, "xrefs: x", "xrefs: y"),
        term(2, "is_a: GO:1", "is_a: GO:3", "is_a: GO:99", f"relationship: part_of GO:1 {gci}"),
        term(3, "is_obsolete: true", "is_a: GO:98"),
        term(4, "is_a: GO:2", f"is_a: GO:1 {gci} ! one", "relationship: regulates GO:97"),
    )
    ontology = read_ontology(path, ("is_a", "part_of"), undefined_parents="skip")
    assert ontology.edges.rows() == [("GO:2", "GO:1", "is_a"), ("GO:4", "GO:2", "is_a")]
    assert ontology.dropped_edges == {
        "obsolete_parent": 1, "conditional": 2, "undefined_parent": 1,
    }  # fmt: skip
    assert ontology.unknown_tags == {"xrefs": 2}
    with pytest.raises(InputError, match=r"obo:15: GO:2 is_a 'GO:99'.*undefined_parents=skip"):
        read_ontology(path)


def test_a_relation_that_no_live_term_has(tmp_path: Path) -> None:
    dead = term(3, "is_obsolete: true", "relationship: regulates GO:1")
    path = write(tmp_path, term(1), term(2, "relationship: part_of GO:1"), dead)
    for asked in ("part-of", "Part_Of", "regulates"):
        with pytest.raises(ParameterError, match=f"'{asked}' is in no live term .* is_a, part_of"):
            read_ontology(path, ("is_a", asked))
    with pytest.raises(ParameterError, match="did you mean 'part_of'"):
        read_ontology(path, ("is_a", "part-of"))
    topology = tmp_path / "topology"
    topology.write_text("ROOT: A 1\nGENES: x\nTERMS:\n")
    with pytest.raises(ParameterError, match=r"There are is_a\.$"):
        read_ontology(topology, ("is_a", "part_of"))


@pytest.mark.real
def test_the_terms_that_goatools_reads(real_data: Path, tmp_path: Path) -> None:
    text = read_text(real_data / "go" / "go-2019-01-27.obo.gz")
    plain = tmp_path / "go.obo"
    plain.write_text(text)
    records = read_obo(text, plain).records
    for other in OBOReader(str(plain), optional_attrs={"relationship"}):
        own = records.pop(other.item_id)
        assert (own.name, own.namespace) == (other.name, other.namespace)
        assert (own.obsolete, {*own.alt_ids}) == (other.is_obsolete, other.alt_ids)
        parents = {("is_a", parent) for parent in other._parents}
        parents |= {(r, parent) for r, own in other.relationship.items() for parent in own}
        assert {(edge.relation, edge.term) for edge in own.parents} == parents
    assert not records


@pytest.mark.real
def test_real_ontology(real_data: Path) -> None:
    ontology = read_ontology(real_data / "go" / "go-2019-01-27.obo.gz")
    assert ontology.version == "releases/2019-01-27"
    live = ontology.terms.filter(~pl.col("obsolete"))
    alternatives = set(ontology.aliases["id"]) - set(ontology.terms["term"])
    assert (ontology.terms.height, live.height) == (47_347, 45_013)
    assert len(alternatives) == 2_432
