"""Annotation lines: every one is kept, or counted under the first reason that holds."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from data_specs.errors import InputError, ParameterError
from data_specs.parameters import Annotations
from pipeline.annotations import AnnotationTable, from_topology, read_annotations
from pipeline.ontology import read_ontology
from tests.conftest import TINY

ONTOLOGY = read_ontology(TINY / "tiny.obo")
PATTERN: dict[str, Any] = {"gene_id_columns": (11,), "gene_id_pattern": "YAL[0-9]{3}[CW]"}


def read(path: Path = TINY / "tiny.gaf", **settings: Any) -> AnnotationTable:
    config = Annotations(**(PATTERN | settings))
    return read_annotations(path, ONTOLOGY.terms, ONTOLOGY.aliases, config)


def gaf(folder: Path, *changes: dict[int, str], columns: int = 17) -> Path:
    """A GAF with one good line for each dict of changed columns (1-based)."""
    lines = []
    for change in changes:
        cells = [
            "SGD", "S1", "ABC1", "involved_in", "GO:0000003", "PMID:1", "IMP", "", "P", "",
            "YAL001C", "gene", "taxon:559292", "20150101", "SGD", "", "",
        ][:columns]  # fmt: skip
        for column, value in change.items():
            cells[column - 1] = value
        lines.append("\t".join(cells))
    path = folder / "test.gaf"
    path.write_text("!gaf-version: 2.2\n" + "\n".join(lines) + "\n")
    return path


def test_tiny_file_is_accounted_for() -> None:
    table = read(taxon="559292", exclude_evidence=("IGI",), date_cutoff="2019-12-31")
    assert table.lines == 20
    assert table.dropped == {
        "negated": 1, "taxon": 1, "no_gene_id": 1, "evidence": 1, "date": 1,
        "unknown_term": 1, "obsolete": 1,
    }  # fmt: skip
    assert table.kept == 20 - 7
    assert table.remapped == {"alt_id": 1, "replaced_by": 1}
    assert ("GO:0000002", "YAL003W") in table.pairs.rows()  # from the alternative id
    assert ("GO:0000002", "YAL004W") in table.pairs.rows()  # from the obsolete term


def test_a_pair_needs_one_good_line() -> None:
    assert ("GO:0000004", "YAL007C") in read(exclude_evidence=("IGI",)).pairs.rows()
    assert ("GO:0000004", "YAL007C") not in read(exclude_evidence=("IGI", "IMP")).pairs.rows()
    only = read(include_evidence=("IEA",))
    assert only.pairs.rows() == [("GO:0000003", "YAL001C")]


def test_line_order_does_not_matter(tmp_path: Path) -> None:
    lines = (TINY / "tiny.gaf").read_text().splitlines()
    shuffled = tmp_path / "shuffled.gaf"
    shuffled.write_text("\n".join(lines[:2] + lines[:1:-1]) + "\n")
    assert read(shuffled).pairs.equals(read().pairs)


def test_windows_line_ends_and_gzip(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gaf.gz"
    text = (TINY / "tiny.gaf").read_text().replace("\n", "\r\n")
    path.write_bytes(gzip.compress(text.encode()))
    assert read(path).pairs.equals(read().pairs)


@pytest.mark.parametrize("columns", [15, 16, 17])
def test_15_to_17_columns(tmp_path: Path, columns: int) -> None:
    assert read(gaf(tmp_path, {}, columns=columns)).kept == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({4: "NOT|enables", 11: "none"}, "negated"),  # the first reason that holds counts
        ({4: "enables|NOT"}, "negated"),
        ({4: "NOTHING"}, None),
        ({13: "taxon:4932|taxon:559292"}, "taxon"),
        ({13: "taxon:559292|taxon:4932"}, None),
        ({11: "xYAL001C|YAL001Cx"}, "no_gene_id"),
        ({11: "ABC1| YAL002W |YAL001C"}, None),
        ({14: "20200102"}, "date"),
        ({14: "20200101"}, None),  # the day itself is kept
        ({5: "GO:0000009", 14: "20200102"}, "date"),
        ({5: "GO:77"}, "unknown_term"),
        ({5: "GO:0000009"}, "obsolete"),
        ({7: "IEA", 14: "20300101"}, "evidence"),
    ],
)
def test_reasons(tmp_path: Path, change: dict[int, str], reason: str | None) -> None:
    table = read(
        gaf(tmp_path, change),
        taxon="taxon:559292",
        exclude_evidence=("IEA",),
        date_cutoff="2020-01-01",
    )
    assert table.dropped == ({reason: 1} if reason else {})
    assert table.kept == (0 if reason else 1)


def test_identifiers_are_taken_in_the_columns_order(tmp_path: Path) -> None:
    path = gaf(tmp_path, {3: "YAL009W", 11: "YAL001C"}, {11: ""})
    assert read(path, gene_id_columns=(3, 11)).pairs["gene"].to_list() == ["YAL009W"]
    first = read(path, gene_id_columns=(11, 3, 2), gene_id_pattern=None)
    assert first.pairs["gene"].to_list() == ["ABC1", "YAL001C"]


@pytest.mark.parametrize(
    ("change", "columns", "found"),
    [
        ({}, 12, "found 12 tab-separated columns; expected 15 to 17"),
        ({14: "2017-3-1"}, 17, "column 14 \\(date\\) is '2017-3-1'; expected YYYYMMDD"),
        ({5: ""}, 17, "column 5 \\(GO id\\) is empty"),
    ],
)
def test_malformed_lines(tmp_path: Path, change: dict[int, str], columns: int, found: str) -> None:
    path = gaf(tmp_path, {}, change, columns=columns)
    bad_line = 2 if columns == 12 else 3
    with pytest.raises(InputError, match=f"test.gaf:{bad_line}: {found}"):
        read(path)
    assert read(path, on_bad_line="skip").dropped["malformed"] == (2 if columns == 12 else 1)


def test_names_of_genes(tmp_path: Path) -> None:
    path = gaf(
        tmp_path,
        {3: "TFC3", 11: "YAL001C|TSV115|FUN24"},
        {3: "TFC3", 11: "YAL001C|TFC3"},  # a symbol is not a synonym as well
        {3: "OLD1", 11: "YAL002W|TSV115", 5: "GO:0000009"},  # dropped, yet named
        {3: "NOT1", 11: "YAL003W", 4: "NOT"},
        {3: "FLY1", 11: "YAL004W", 13: "taxon:7227"},
    )
    names = read(path, taxon="559292").names.rows()
    assert names == [
        ("FUN24", "YAL001C", "synonym"),
        ("OLD1", "YAL002W", "symbol"),
        ("TFC3", "YAL001C", "symbol"),
        ("TSV115", "YAL001C", "synonym"),
        ("TSV115", "YAL002W", "synonym"),
        ("YAL001C", "YAL001C", "systematic"),
        ("YAL002W", "YAL002W", "systematic"),
    ]


def test_pattern_that_is_no_expression() -> None:
    with pytest.raises(ParameterError, match="gene_id_pattern"):
        read(gene_id_pattern="Y(")


def test_obo_without_annotations() -> None:
    with pytest.raises(InputError, match="give a GAF file"):
        from_topology(TINY / "tiny.obo")
