"""Genotypes and hierarchies that have few genes in common, or none."""

from pathlib import Path
from typing import Any

import pytest

from data_specs.errors import InputError
from data_specs.layout import read_json
from data_specs.parameters.sections import resolve
from pipeline import cli
from pipeline.build import build
from pipeline.show import show
from tests.conftest import TINY, tiny_parameters

PLACES = ("1", "2", "3", "4")


def table_of(pattern: str) -> str:
    pairs = [f"{pattern.format(a)}|{pattern.format(b)}" for a in PLACES for b in PLACES if a < b]
    return "\n".join(["genes\tfitness", *(f"{pair}\t0.{i}" for i, pair in enumerate(pairs))]) + "\n"


def built(tmp_path: Path, table: str, **sections: dict[str, Any]) -> Path:
    (tmp_path / "table.tsv").write_text(table)
    sections["sources"] = {"genotypes": [str(tmp_path / "table.tsv")]} | sections.get("sources", {})
    return build(resolve(tiny_parameters(**sections)), tmp_path / "build").root


@pytest.mark.parametrize("sections", [
    {}, {"store": {"unannotated": "drop"}}, {"hierarchy": {"gene_universe": "assayed"}},
])  # fmt: skip
def test_names_that_nothing_has(tmp_path: Path, sections: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(InputError) as caught:
        built(tmp_path, table_of("TP5{}"), **sections)
    said = str(caught.value)
    assert said.startswith(
        "no genotype touches a term: none of the 4 names in the genotypes (TP51, TP52, TP53, …) "
    )
    assert "genes of the hierarchy (YAL001C, YAL002W, YAL003W, …). No column of " in said
    assert "tiny.gaf has them. Map them to genes with sources.gene_names" in said
    assert not (tmp_path / "build").exists()


def test_names_of_another_column(tmp_path: Path) -> None:
    said = r"Column 2 of .*tiny\.gaf has 4 of them \(s000000001\): set .*gene_id_columns=\[2\]"
    with pytest.raises(InputError, match=said):
        built(tmp_path, table_of("s00000000{}"))


def test_names_in_full(tmp_path: Path) -> None:
    """Column 10; a name with blanks is none in a table, so there are none here."""
    gaf = (TINY / "tiny.gaf").read_text().replace("\tP\t\tYAL00", "\tP\tfull_YAL00")
    gaf = gaf.replace("\tfull_YAL00", "\tfull_\tYAL00")
    (tmp_path / "own.gaf").write_text(gaf)
    table = "genes\tfitness\n" + "".join(f"full_|o{i}\t0.{i}\n" for i in range(9))
    source = {"sources": {"annotations": str(tmp_path / "own.gaf")}}
    with pytest.raises(InputError, match=r"Column 10 of .*own\.gaf has 1 of them \(full_\)"):
        built(tmp_path, table, **source)


def test_exact_names_in_another_case(tmp_path: Path) -> None:
    table = (TINY / "tiny.tsv").read_text().lower()
    said = r"10 of them are other names of genes \(yal001c\): set genotypes.names=resolve"
    with pytest.raises(InputError, match=said):
        built(tmp_path, table, genotypes={"names": "exact"})


def test_genes_that_are_known_and_annotated_to_nothing(tmp_path: Path) -> None:
    """All lines of these are dropped, but for what they say of names."""
    table = "genes\tfitness\n" + "".join(f"YAL00{i}C\t0.{i}\n" for i in (5,)) + "YAL010C\t0.5\n"
    with pytest.raises(InputError, match="The annotation file has them all, but no term has one"):
        built(tmp_path, table)


def test_a_hierarchy_of_its_own_names(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("A\tB\tdefault\nB\tg1\tgene\nB\tg2\tgene\n")
    source = {"ontology": str(tmp_path / "own.txt"), "annotations": None}
    with pytest.raises(InputError, match=r"2 genes of the hierarchy \(g1, g2\)\. Map them to"):
        built(tmp_path, table_of("TP5{}"), sources=source)


FEW = table_of("TP5{}") + "YAL001C|YAL002W\t0.5\nTP51|YAL003W\t0.5\n"


def test_few_samples_that_touch_a_term_are_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = built(tmp_path, FEW)
    assert read_json(folder / "store" / "ledger.json")["touching"] == 2
    from data_specs.layout import DataLayout

    show(DataLayout(folder))
    said = capsys.readouterr().out
    assert "warning      only 2 of 8 samples touch a term of the hierarchy" in said
    assert "4 of 7 genes without annotation" in said
    cli.main(["verify", str(folder)])
    assert "\nwarn  touching: only 2 of 8 samples touch" in capsys.readouterr().out


def test_enough_samples_are_not_warned_about(
    tiny_build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["verify", str(tiny_build)])
    cli.main(["show", str(tiny_build)])
    said = capsys.readouterr().out
    assert "warn" not in said
    assert "2 of 10 genes without annotation\n" in said
    assert " 10 as written, 0 renamed" in said


def test_unannotated_genes_are_counted_when_they_are_dropped_too(tmp_path: Path) -> None:
    folder = built(tmp_path, FEW, store={"unannotated": "drop"}, split={"val": 0, "test": 0})
    ledger = read_json(folder / "store" / "ledger.json")
    assert (ledger["samples"], ledger["touching"], ledger["unannotated_genes"]) == (1, 1, 4)
