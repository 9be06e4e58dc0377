"""HPO's annotation files, of genes and of diseases."""

from pathlib import Path
from typing import Any

import pytest

from data_specs.errors import InputError
from data_specs.parameters.sections import Annotations
from pipeline.annotations.gene_info import read_gene_info
from pipeline.annotations.stage import AnnotationTable, read_annotations
from pipeline.ontology.stage import read_ontology

TERMS = ("HP:0000118", "HP:0002664", "HP:0100834")
NEW = "ncbi_gene_id\tgene_symbol\thpo_id\thpo_name\tfrequency\tdisease_id\n"
OLD = (
    "#Format: entrez-gene-id<tab>entrez-gene-symbol<tab>HPO-Term-ID<tab>HPO-Term-Name<tab>"
    "Frequency-Raw<tab>Frequency-HPO<tab>Additional Info from G-D source<tab>G-D source<tab>"
    "disease-ID for link\n"
)
HPOA = (
    '#description: "HPO annotations for rare diseases"\n#version: 2023-10-09\n'
    "database_id\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\tfrequency\tsex\t"
    "modifier\taspect\tbiocuration\n"
)
FORMER_HPOA = HPOA.replace(
    "database_id\tdisease_name\tqualifier\thpo_id", "#DatabaseID\tDiseaseName\tQualifier\tHPO_ID"
)


def disease(name: str, term: str, **cells: str) -> str:
    given = {"qualifier": "", "evidence": "TAS", "frequency": "",
             "curated": "HPO:x[2012-07-03]"} | cells  # fmt: skip
    return "\t".join([name, f"the disease {name}", given["qualifier"], term, "PMID:1",
                      given["evidence"], "", given["frequency"], "", "", "P",
                      given["curated"]]) + "\n"  # fmt: skip


def read(folder: Path, text: str, causes: str = "", **settings: Any) -> AnnotationTable:
    (folder / "hp.obo").write_text(
        "format-version: 1.2\n" + "".join(f"\n[Term]\nid: {term}\nname: x\n" for term in TERMS)
    )
    (folder / "file.txt").write_text(text)
    (folder / "causes.txt").write_text(causes)
    ontology = read_ontology(folder / "hp.obo")
    genes = read_gene_info([folder / "causes.txt"] if causes else [])
    config = Annotations(**settings)
    return read_annotations(
        folder / "file.txt", ontology.terms, ontology.aliases, config, (), genes
    )


@pytest.mark.parametrize("header", [NEW, OLD])
def test_genes(tmp_path: Path, header: str) -> None:
    rest = "\tOMIM:1" if header == NEW else "\t\tinfo\tmim2gene\tOMIM:1"
    lines = [f"4292\tMLH1\tHP:0100834\tname\t{often}{rest}\n"
             for often in ("-", "HP:0040281", "1/7")]  # fmt: skip
    lines += [f"672\tBRCA1\tHP:0002664\tname\t{never}{rest}\n"
              for never in ("0/7", "HP:0040285", "0%", "0 / 3")]  # fmt: skip
    table = read(tmp_path, header + "".join(lines))
    assert table.pairs.rows() == [("HP:0100834", "MLH1")]
    assert (table.lines, table.kept, table.dropped) == (7, 3, {"negated": 4})
    assert table.files[0].format == "HPO genes"
    by_id = read(tmp_path, header + "".join(lines), gene_id_columns=(2,))
    assert by_id.pairs.rows() == [("HP:0100834", "4292")]
    assert by_id.names.rows() == [("4292", "4292", "systematic"), ("MLH1", "4292", "symbol")]


@pytest.mark.parametrize("header", [HPOA, FORMER_HPOA])
def test_diseases_stand_for_genes(tmp_path: Path, header: str) -> None:
    text = header + (
        disease("OMIM:1", "HP:0100834")
        + disease("OMIM:1", "HP:0002664", qualifier="NOT")
        + disease("OMIM:2", "HP:0002664", evidence="IEA", frequency="0/3")
        + disease("ORPHA:3", "HP:0002664", evidence="iea",
                  curated="HPO:x[2012-07-03];HPO:y[2021-01-01]")
    )  # fmt: skip
    table = read(tmp_path, text)
    assert table.pairs.rows() == [("HP:0002664", "ORPHA:3"), ("HP:0100834", "OMIM:1")]
    assert table.dropped == {"negated": 2}
    assert read(tmp_path, text, exclude_evidence=("IEA",)).dropped == {"negated": 2, "evidence": 1}
    assert read(tmp_path, text, date_cutoff="2012-07-03").kept == 2  # first curated then
    assert read(tmp_path, text, date_cutoff="2012-07-02").dropped == {"negated": 2, "date": 2}


def test_genes_of_diseases(tmp_path: Path) -> None:
    text = HPOA + (
        disease("OMIM:1", "HP:0100834") + disease("OMIM:2", "HP:0002664")
        + disease("OMIM:3", "HP:0002664")
    )  # fmt: skip
    causes = (
        "ncbi_gene_id\tgene_symbol\tassociation_type\tdisease_id\tsource\n"
        "NCBIGene:4292\tMLH1\tMENDELIAN\tOMIM:1\tx\n"
        "NCBIGene:4436\tMSH2\tMENDELIAN\tOMIM:1\tx\n672\tBRCA1\tUNKNOWN\tOMIM:2\tx\n"
    )
    table = read(tmp_path, text, causes)
    assert table.pairs.rows() == [
        ("HP:0002664", "BRCA1"), ("HP:0100834", "MLH1"), ("HP:0100834", "MSH2"),
    ]  # fmt: skip
    assert (table.lines, table.dropped) == (4, {"no_gene_id": 1})
    assert read(tmp_path, text, causes, gene_id_columns=(2,)).pairs["gene"].to_list() == [
        "672", "4292", "4436",
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"causes.txt:5: found no gene with a disease"):
        read(tmp_path, text, causes + "NCBIGene:1\tX\tMENDELIAN\tnone\tx\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (NEW + "1\tA\tHP:0100834\tx\t-\tO:1\n1\tA\tGO:1\tx\t-\tO:1\n",
         r"file.txt:3: column 3 \(HPO id\) is 'GO:1'; expected HP:0001250"),
        (NEW + "1\tA\tHP:0100834\tx\t-\tO:1\n1\tA\n", "file.txt:3: found 2 tab-separated"),
        (HPOA + disease("OMIM:1", "HP:0100834") + disease("1", "HP:0100834"),
         r"file.txt:5: column 1 \(disease\) is '1'; expected DB:ID"),
        (HPOA + disease("OMIM:1", "HP:0100834") + "OMIM:1\tx\n",
         "file.txt:5: found 2 tab-separated columns; expected 12"),
    ],
)  # fmt: skip
def test_malformed_lines(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, text)
    assert read(tmp_path, text, on_bad_line="skip").dropped["malformed"] == 1
