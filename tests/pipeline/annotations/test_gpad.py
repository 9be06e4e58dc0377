"""GPAD 1 and 2 with GPI: the same pairs, names and reasons as the GAF that says the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_specs.errors import InputError, ParameterError
from data_specs.parameters.sections import Annotations
from pipeline.annotations.gene_info import NO_GENES, read_gene_info
from pipeline.annotations.stage import AnnotationTable, read_annotations
from pipeline.ontology.stage import read_ontology
from tests.conftest import TINY

ONTOLOGY = read_ontology(TINY / "tiny.obo")
ECO = {"IMP": "ECO:0000315", "IEA": "ECO:0007669", "IGI": "ECO:0000316"}
GAF = [line.split("\t") for line in (TINY / "tiny.gaf").read_text().splitlines()[2:]]


def first(cells: list[str]) -> str:
    """A line of GPAD 1.1 that says what a line of GAF says."""
    db, gene, _, qualifier, term, ref, code, *_ = cells
    return "\t".join([db, gene, qualifier, term, ref, ECO[code], "", "", cells[13], "SGD", "", ""])


def second(cells: list[str]) -> str:
    """The same as GPAD 2.0."""
    db, gene, _, qualifier, term, ref, code, *_ = cells
    negation = "NOT" if qualifier.startswith("NOT") else ""
    date = f"{cells[13][:4]}-{cells[13][4:6]}-{cells[13][6:]}"
    return "\t".join([f"{db}:{gene}", negation, "RO:0002331", term, ref, ECO[code], "", "", date,
                      "SGD", "", ""])  # fmt: skip


def gpi(cells: list[str]) -> str:
    """The gene of a line of GAF as GPI 1.2."""
    return "\t".join([*cells[:3], "", cells[10], "gene", cells[12], "", "", ""])


def write(path: Path, header: str, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in [header, *lines]))
    return path


def read(path: Path | list[Path], gene_info: list[Path], **settings: Any) -> AnnotationTable:
    columns = {"gene_id_columns": (11,), "gene_id_pattern": "YAL[0-9]{3}[CW]"}
    config = Annotations(**{**columns, **settings})
    genes = read_gene_info(gene_info)
    return read_annotations(path, ONTOLOGY.terms, ONTOLOGY.aliases, config, (), genes)


@pytest.mark.parametrize(
    ("header", "line"),
    [("!gpa-version: 1.1", first), ("!gpad-version: 1.2", first), ("!made by hand", first),
     ("!gpad-version: 2.0", second), ("!gpa-version: 2.0", second), ("!made by hand", second)],
)  # fmt: skip
def test_the_same_as_gaf(tmp_path: Path, header: str, line: Callable[[list[str]], str]) -> None:
    path = write(tmp_path / "tiny.gpad", header, [line(cells) for cells in GAF])
    info = write(tmp_path / "tiny.gpi", "!gpi-version: 1.2", [gpi(cells) for cells in GAF])
    settings: dict[str, Any] = {
        "taxon": "559292", "exclude_evidence": ("IGI",), "date_cutoff": "2019-12-31",
    }  # fmt: skip
    found = read(path, [info], **settings)
    expected = read(TINY / "tiny.gaf", [], **settings)
    assert found.pairs.equals(expected.pairs)
    assert found.names.equals(expected.names)
    assert (found.lines, found.kept, found.dropped) == (
        expected.lines, expected.kept, expected.dropped
    )  # fmt: skip
    assert found.remapped == expected.remapped
    [account] = found.files
    assert account.format == ("GPAD 1" if line is first else "GPAD 2")
    ledger = account.to_json("tiny.gpad")
    assert (ledger["unmapped_evidence"], ledger["genes_without_info"]) == ({}, 0)


def test_gaf_and_gpad_are_united(tmp_path: Path) -> None:
    old = write(tmp_path / "a.gaf", "!gaf-version: 2.2", ["\t".join(cells) for cells in GAF[:9]])
    new = write(tmp_path / "b.gpad", "!gpad-version: 2.0", [second(cells) for cells in GAF[9:]])
    info = write(tmp_path / "b.gpi", "!gpi-version: 1.2", [gpi(cells) for cells in GAF])
    found, expected = read([old, new], [info]), read(TINY / "tiny.gaf", [])
    assert found.pairs.equals(expected.pairs)
    assert found.dropped == expected.dropped
    assert [account.format for account in found.files] == ["GAF", "GPAD 2"]


def test_without_gpi_a_gene_has_its_id_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "x.gpad", "!gpad-version: 2.0", [second(GAF[0]), second(GAF[2])])
    settings: dict[str, Any] = {"gene_id_columns": (11, 3, 2), "gene_id_pattern": None}
    found = read(path, [], **settings)
    assert found.pairs["gene"].to_list() == ["S000000000", "S000000002"]
    assert found.names["kind"].to_list() == ["systematic"] * 2
    assert found.files[0].file.unnamed_genes == 2
    assert "no GPI file has 2 of its genes" in " ".join(found.files[0].notes())
    with pytest.raises(ParameterError, match=r"taxon is set, but no line of .*Give its GPI file"):
        read(path, [], taxon="559292", **settings)


def test_evidence_without_a_code_is_counted_and_filtered_as_it_is(tmp_path: Path) -> None:
    lines = [first(GAF[0]), first(GAF[2]).replace("ECO:0000315", "ECO:9999999")]
    path = write(tmp_path / "x.gpad", "!gpa-version: 1.1", lines)
    settings: dict[str, Any] = {"gene_id_columns": (2,), "gene_id_pattern": None}
    found = read(path, [], **settings)
    assert found.kept == 2
    assert found.files[0].to_json("x")["unmapped_evidence"] == {"ECO:9999999": 1}
    assert "ECO:9999999 in 1 lines" in " ".join(found.files[0].notes())
    out = read(path, [], exclude_evidence=("ECO:9999999",), **settings)
    assert (out.kept, out.dropped) == (1, {"evidence": 1})
    only = read(path, [], include_evidence=("IMP",), **settings)
    assert (only.kept, only.dropped) == (1, {"evidence": 1})


def test_lines_of_different_classes_are_not_the_same(tmp_path: Path) -> None:
    one = write(tmp_path / "a.gpad", "!gpa-version: 1.1", [first(GAF[0])])
    line = first(GAF[0]).replace("ECO:0000315", "ECO:0005516")
    two = write(tmp_path / "b.gpad", "!gpa-version: 1.1", [first(GAF[0]), line])
    found = read([one, two], [], gene_id_columns=(2,), gene_id_pattern=None)
    assert (found.kept, found.dropped) == (2, {"repeated": 1})


ONE, TWO = first(GAF[0]), second(GAF[0])


@pytest.mark.parametrize(
    ("header", "line", "said"),
    [
        ("!gpa-version: 1.1", "\t".join(ONE.split("\t")[:9]),
         "found 9 tab-separated columns; expected 10 to 12"),
        ("!gpa-version: 1.1", ONE.replace("20150101", "2015-01-01"), "expected YYYYMMDD"),
        ("!gpa-version: 1.1", ONE.replace("GO:0000003", ""), r"column 4 \(GO id\) is empty"),
        ("!gpa-version: 1.1", ONE.replace("ECO:0000315", "IMP"),
         r"column 6 \(evidence\) is 'IMP'; expected a class of ECO"),
        ("!gpad-version: 2.0", TWO.replace("2015-01-01", "20150101"), "expected YYYY-MM-DD"),
        ("!gpad-version: 2.0", TWO.replace("SGD:S000000000", "S000000000"),
         r"column 1 \(gene\) is 'S000000000'; expected DB:ID"),
        ("!gpad-version: 2.0", TWO.replace("\t\tRO", "\tno\tRO"),
         r"column 2 \(negation\) is 'no'; expected NOT or nothing"),
    ],
)  # fmt: skip
def test_malformed_lines(tmp_path: Path, header: str, line: str, said: str) -> None:
    good = (first if "gpa-" in header else second)(GAF[2])
    path = write(tmp_path / "x.gpad", header, [good, line])
    with pytest.raises(InputError, match=f"x.gpad:3: .*{said}"):
        read(path, [], gene_id_columns=(2,))
    settings: dict[str, Any] = {"gene_id_columns": (2,), "gene_id_pattern": None}
    found = read(path, [], on_bad_line="skip", **settings)
    assert (found.kept, found.dropped) == (1, {"malformed": 1})


def test_a_date_may_have_a_time(tmp_path: Path) -> None:
    line = TWO.replace("2015-01-01", "2015-01-01T12:30:00")
    path = write(tmp_path / "x.gpad", "!gpad-version: 2.0", [line])
    settings: dict[str, Any] = {"gene_id_columns": (2,), "gene_id_pattern": None}
    assert read(path, [], date_cutoff="2015-01-01", **settings).kept == 1
    assert read(path, [], date_cutoff="2014-12-31", **settings).kept == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [("!gpi-version: 2.1\n", r"is GPI .*Give the GPI as sources.gene_info"),
     ("!gpad-version: 3.0\n", "is GPAD .* of a version that is not known")],
)  # fmt: skip
def test_other_formats_are_said_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "x"
    path.write_text(text + ONE + "\n")
    with pytest.raises(InputError, match=said):
        read(path, [])


# GPI


def genes(tmp_path: Path, *lines: str) -> list[tuple[str, ...]]:
    path = write(tmp_path / "x.gpi", lines[0], list(lines[1:]))
    return read_gene_info([path]).products.rows()


EXPECTED = ("SGD", "S1", "TFC3", "the gene", "TSV115|FUN24", "gene", "taxon:559292")


def test_versions_of_gpi(tmp_path: Path) -> None:
    rest = "TFC3\tthe gene\tTSV115|FUN24\tgene\ttaxon:559292\t\t"
    assert genes(tmp_path, "!gpi-version: 1.1", "!namespace: SGD", f"S1\t{rest}") == [EXPECTED]
    assert genes(tmp_path, "!gpi-version: 1.2", f"SGD\tS1\t{rest}\t") == [EXPECTED]
    assert genes(tmp_path, "!gpi-version: 2.0", f"SGD:S1\t{rest}\t\t") == [EXPECTED]
    assert genes(tmp_path, "!gpi-version: 2.1", f" SGD:S1\t{rest}") == [EXPECTED]
    mouse = genes(tmp_path, "!gpi-version: 2.0", f"MGI:MGI:1918911\t{rest}")
    assert mouse[0][:2] == ("MGI", "MGI:1918911")
    assert read_gene_info([]) is NO_GENES


def test_a_gene_of_several_lines_keeps_all_names(tmp_path: Path) -> None:
    lines = ["SGD:S1\tTFC3\t\tA| B\tgene\ttaxon:1", "SGD:S1\tFUN24\t\tB|C\tgene\ttaxon:1"]
    [gene] = genes(tmp_path, "!gpi-version: 2.0", *lines)
    assert gene == ("SGD", "S1", "TFC3", "", "FUN24|A|B|C", "gene", "taxon:1")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["!gpi-version: 1.0", "x"], "is GPI 1.0; expected GPI 1.1, 1.2 or 2.0"),
        (["!gaf-version: 2.2", "x"], "has no line !gpi-version"),
        (["!gpi-version: 1.1", "x\ty"], "without a line '!namespace: DB'"),
        (["!gpi-version: 1.2", "SGD\tS1\tA", "SGD\tS2"], "x.gpi:3: found no gene with a symbol"),
        (["!gpi-version: 2.0", "S1\tA"], "x.gpi:2: found no gene with an id of the form DB:ID"),
    ],
)
def test_what_is_no_gpi(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        genes(tmp_path, *lines)
