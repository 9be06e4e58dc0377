"""Names of genes in the case files and in the real tables."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_specs.cell_graph import CellGraph
from data_specs.errors import InputError
from data_specs.gene_names import GeneNames
from data_specs.layout import DataLayout, read_json
from data_specs.parameters.sections import resolve
from pipeline.build import build
from pipeline.verify import verify
from tests.conftest import real_sources

pytestmark = pytest.mark.real


def built(
    folder: Path, out: Path, *, genotypes: str, annotations: str = "tiny.gaf", **given: Any
) -> DataLayout:
    """A build of case files; `given` are parameters of the section `genotypes`."""
    source = {
        "profile": "yeast",
        "ontology": str(folder / "tiny.obo"),
        "annotations": str(folder / annotations),
        "genotypes": [str(folder / "genotypes" / genotypes)],
    }
    sections = {"hierarchy": {"containment": 1}, "sources": source, "genotypes": given}
    return build(resolve(sections), out)


def named(layout: DataLayout) -> dict[str, tuple[str, str]]:
    table = pl.read_parquet(layout.genotypes / "gene_names.parquet")
    return {name: (gene, how) for name, gene, how, _ in table.iter_rows()}


def test_a_retired_name_is_one_gene_to_build_and_predict(real_data: Path, tmp_path: Path) -> None:
    layout = built(
        real_data / "cases", tmp_path / "build",
        annotations="gaf/retired_names.gaf", genotypes="retired_name.tsv",
    )  # fmt: skip
    assert named(layout)["YAL099W"] == ("YAL002W", "synonym")
    assert GeneNames.of(CellGraph.read(layout.cell_graph)).gene("YAL099W") == "YAL002W"
    assert "YAL099W" not in set(pl.read_parquet(layout.genotypes / "genes.parquet")["gene"])


def test_lower_case(real_data: Path, tmp_path: Path) -> None:
    layout = built(real_data / "cases", tmp_path / "build", genotypes="lower_case.tsv")
    assert read_json(layout.genotypes / "ledger.json")["names"]["renamed"] == 8
    assert read_json(layout.store / "ledger.json")["touching"] == 10
    with pytest.raises(InputError, match=r"set genotypes\.names=resolve"):
        built(real_data / "cases", tmp_path / "exact", genotypes="lower_case.tsv", names="exact")


def test_ho_is_the_control_of_yeast(real_data: Path, tmp_path: Path) -> None:
    layouts = [
        built(real_data / "cases", tmp_path / control, genotypes="ho_control.txt",
              control_gene=control)
        for control in ("HO", "YDL227C")
    ]  # fmt: skip
    for file in ("store/manifest.json", "store/00000/data.mdb", "split/split.parquet"):
        assert (layouts[0].root / file).read_bytes() == (layouts[1].root / file).read_bytes()


def test_names_of_the_triple_mutants_are_all_systematic(real_build: Path) -> None:
    ledger = json.loads((real_build / "ledger.json").read_text())
    assert ledger["genotypes"]["names"] == {
        "as_written": 1_211, "renamed": 0, "ambiguous": 0, "unresolved": 0,
    }  # fmt: skip
    assert ledger["store"]["touching"] == 10_423
    assert GeneNames.of(CellGraph.read(real_build / "cell_graph")).gene("YKL199C") == "YKL198C"


def test_retired_names_of_a_big_screen(real_data: Path, tmp_path: Path) -> None:
    """34 ORFs of Costanzo 2010 are merged into others in SGD's annotations of 2017."""
    table = real_data / "genotypes" / "costanzo2010_intermediate.tsv.gz"
    source = {**real_sources(real_data), "genotypes": [str(table)]}
    layout = build(resolve({"sources": source}), tmp_path / "build")
    assert read_json(layout.genotypes / "ledger.json")["names"] == {
        "as_written": 4_068, "renamed": 34, "ambiguous": 0, "unresolved": 312,
    }  # fmt: skip
    names = named(layout)
    assert names["YKL199C"] == ("YKL198C", "synonym")
    assert {how for _, how in names.values()} == {"as_written", "synonym", "unresolved"}
    assert all(check.passed and not check.warning for check in verify(layout))
