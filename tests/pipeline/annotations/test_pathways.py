"""GMT and Reactome's mappings as annotations of an ontology."""

from pathlib import Path
from typing import Any

import pytest

from data_specs.errors import InputError, ParameterError
from data_specs.parameters.sections import Annotations
from pipeline.annotations.stage import AnnotationTable, read_annotations
from pipeline.ontology.stage import read_ontology

RELATIONS = "R-HSA-10\tR-HSA-12\nR-HSA-10\tR-HSA-13\nR-MMU-10\tR-MMU-13\n"


def read(folder: Path, *texts: str, **settings: Any) -> AnnotationTable:
    (folder / "relations").write_text(RELATIONS)
    ontology = read_ontology(folder / "relations")
    files = []
    for number, text in enumerate(texts):
        files.append(folder / f"{number}.txt")
        files[-1].write_text(text)
    return read_annotations(files, ontology.terms, ontology.aliases, Annotations(**settings))


GMT = "Mismatch repair\tR-HSA-13\tMLH1\tMSH2\nDNA repair\tR-HSA-10\tBRCA1\nB\tna\tX\n"


def mapped(gene: str, pathway: str, code: str = "TAS", species: str = "Homo sapiens") -> str:
    return f"{gene}\t{pathway}\thttps://reactome.org/#/{pathway}\tname\t{code}\t{species}\n"


MAPPING = (
    mapped("4292", "R-HSA-13") + mapped("672", "R-HSA-10", "IEA")
    + mapped("17350", "R-MMU-13", "IEA", "Mus musculus") + mapped("1", "R-HSA-99")
)  # fmt: skip


def test_a_gmt_counts_by_genes(tmp_path: Path) -> None:
    table = read(tmp_path, GMT)
    assert table.pairs.rows() == [
        ("R-HSA-10", "BRCA1"), ("R-HSA-13", "MLH1"), ("R-HSA-13", "MSH2"),
    ]  # fmt: skip
    assert (table.lines, table.kept, table.dropped) == (4, 3, {"unknown_term": 1})
    assert table.names["kind"].to_list() == ["systematic"] * 4
    assert table.files[0].format == "GMT"
    for column in (2, 3, 11):
        assert read(tmp_path, GMT, gene_id_columns=(column,)).pairs.equals(table.pairs)


def test_a_mapping(tmp_path: Path) -> None:
    table = read(tmp_path, MAPPING, taxon="Homo sapiens", exclude_evidence=("IEA",))
    assert table.pairs.rows() == [("R-HSA-13", "4292")]
    assert table.dropped == {"taxon": 1, "evidence": 1, "unknown_term": 1}
    assert table.files[0].format == "Reactome"
    assert read(tmp_path, MAPPING, taxon="mus MUSCULUS").pairs.rows() == [("R-MMU-13", "17350")]
    with pytest.raises(ParameterError, match=r"'rat' is in no line of .* There are homo sapiens"):
        read(tmp_path, MAPPING, taxon="rat")


def test_both_together(tmp_path: Path) -> None:
    table = read(tmp_path, GMT, MAPPING, exclude_evidence=("IEA",))
    assert table.pairs.height == 4
    assert [(account.format, account.kept) for account in table.files] == [
        ("GMT", 3), ("Reactome", 1),
    ]  # fmt: skip
    # What a whole file lacks cannot be asked for.
    with pytest.raises(ParameterError, match=r"taxon is set, but no line of .*0.txt states one"):
        read(tmp_path, GMT, MAPPING, taxon="Homo sapiens")
    with pytest.raises(ParameterError, match=r"Omit annotations\.date_cutoff"):
        read(tmp_path, GMT, date_cutoff="2020-01-01")
    with pytest.raises(ParameterError, match=r"'IGI' is in no line of .*0.txt\.$"):
        read(tmp_path, GMT, exclude_evidence=("IGI",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GMT + "A\tna\n", "0.txt:4: found no genes"),
        (MAPPING + "4292\tR-HSA-13\n", "0.txt:5: found 2 tab-separated columns; expected 6"),
        (MAPPING + mapped("4292", "HSA-13"), r"0.txt:5: column 2 \(pathway\) is 'HSA-13'"),
        (MAPPING + mapped("", "R-HSA-13"), r"0.txt:5: column 1 \(id of the gene\) is empty"),
    ],
)
def test_malformed_lines(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, text)
    assert read(tmp_path, text, on_bad_line="skip").dropped["malformed"] == 1
