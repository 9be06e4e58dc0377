"""Cell lines and drugs in the form of DrugCell and NeST-VNN, from files to a build."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from data_specs.cell_graph import CellGraph
from data_specs.errors import InputError
from data_specs.layout import DataLayout, read_json
from data_specs.parameters import resolve
from data_specs.store import StoreReader
from pipeline.build import build
from pipeline.control_builds import make
from pipeline.export import export
from pipeline.verify import verify

ONTOLOGY = """\
ROOT\tA\tdefault
ROOT\tB\tdefault
A\tTP53\tgene
A\tMDM2\tgene
B\tRB1\tgene
B\tTP53\tgene
"""
GENES, LINES = ["TP53", "RB1", "MDM2", "ALONE"], [f"L{n}" for n in range(8)]
TABLES = {
    "mutation": ["1,0,0,0", "0,1,0,0", "1,1,0,0", "0,0,0,0", "0,0,1,1", "1,0,0,0", "0,0,1,0",
                 "1,0,1,0"],
    "cndeletion": ["0,0,0,0", "1,0,0,0", "0,0,0,0", "0,0,0,0", "0,0,1,0", "0,0,0,0", "0,1,0,0",
                   "0,1,1,0"],
}  # fmt: skip
RESPONSES = [
    ("L0", "drugA", 0.5), ("L0", "drugA", 0.7), ("L0", "drugB", 0.1), ("L1", "drugA", 0.4),
    ("L2", "drugA", 0.3), ("L3", "drugA", 0.2), ("L4", "drugB", 0.9), ("L4", "drugA", 0.8),
    ("L5", "drugA", 0.9), ("L6", "drugA", 0.25), ("L6", "drugB", 0.2), ("L6", "drugB", 0.4),
    ("L7", "drugA", 0.35), ("L1", "drugC", 0.6),
]  # fmt: skip


def files(folder: Path, **others: str) -> dict[str, Any]:
    """Write all files; `others` replace some by name. Their paths as sources."""
    rows = [f"{cell}\t{drug}\t{value}\tGDSC" for cell, drug, value in RESPONSES]
    texts = {
        "ontology": ONTOLOGY, "responses": "\n".join(rows) + "\n",
        "gene2ind": "".join(f"{n}\t{gene}\n" for n, gene in enumerate(GENES)),
        "cell2ind": "".join(f"{n}\t{cell}\n" for n, cell in enumerate(LINES)),
        **{f"cell2{name}": "\n".join(rows) + "\n" for name, rows in TABLES.items()}, **others,
    }  # fmt: skip
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    paths = {name: str(folder / f"{name}.txt") for name in texts}
    cells = [path for name, path in paths.items() if name.startswith(("gene2", "cell2"))]
    return {"ontology": paths["ontology"], "genotypes": [paths["responses"]], "cells": cells}


def made(folder: Path, sources: dict[str, Any], **genotypes: object) -> DataLayout:
    given = {
        "sources": {"profile": "local", **sources},
        "genotypes": {"drugs": ["drugA"], **genotypes},
        "hierarchy": {"steps": []},
        "split": {"val": 0.2, "test": 0.2},
        "dask": {"workers": 1},
    }
    return build(resolve(given), folder / "build")


def samples_of(layout: DataLayout) -> dict[str, tuple[list[str], int]]:
    """Genes of every sample, and its number of rows, by the cell lines."""
    parts = sorted((layout.store / "samples.parquet").iterdir())
    table = pl.concat([pl.read_parquet(part) for part in parts])
    return {
        ",".join(queries): (genes, count)
        for genes, queries, count in table.select("genes", "queries", "count").iter_rows()
    }


def values_of(layout: DataLayout, name: str) -> list[float]:
    reader = StoreReader(layout.store)
    blocks = [reader.block(number) for number in range(len(reader.meta.blocks))]
    return [round(float(v), 6) for block in blocks for v in block.phenotypes[name]]


def test_genes_have_an_input_a_channel(tmp_path: Path) -> None:
    layout = made(tmp_path, files(tmp_path))
    graph = CellGraph.read(layout.cell_graph)
    assert graph.channels == ("cndeletion", "mutation")
    assert list(graph.gene_ids) == [
        f"{gene}:{channel}" for gene in ("MDM2", "RB1", "TP53") for channel in graph.channels
    ]
    assert graph.genes_direct.tolist() == [0, 4, 4]
    assert graph.genes_contained.tolist() == [3, 2, 2]
    assert samples_of(layout) == {
        "cell:L0,cell:L5": (["TP53:mutation"], 3),
        "cell:L1": (["RB1:mutation", "TP53:cndeletion"], 1),
        "cell:L2": (["RB1:mutation", "TP53:mutation"], 1),
        "cell:L4": (["ALONE:mutation", "MDM2:cndeletion", "MDM2:mutation"], 1),
        "cell:L6": (["MDM2:mutation", "RB1:cndeletion"], 1),
        "cell:L7": (["MDM2:cndeletion", "MDM2:mutation", "RB1:cndeletion", "TP53:mutation"], 1),
    }
    assert all(check.passed for check in verify(layout))


def test_the_ledger_counts_responses(tmp_path: Path) -> None:
    layout = made(tmp_path, files(tmp_path))
    ledger = read_json(layout.genotypes / "ledger.json")
    (file,) = ledger["files"]
    assert file["format"] == "cell_lines"
    assert file["cell_lines"] == {
        "rows": 14, "dropped": {"other_drug": 5}, "cell_lines": 8, "drugs": {"drugA": 9},
        "channels": ["cndeletion", "mutation"], "apart": True,
    }  # fmt: skip
    assert ledger["dropped"] == {"no_deletion": 1}  # L3 is the wild type
    assert (ledger["rows"], ledger["merged"], ledger["genotypes"]) == (9, 2, 6)


def test_together_a_gene_is_one_input(tmp_path: Path) -> None:
    layout = made(tmp_path, files(tmp_path), channels="together")
    graph = CellGraph.read(layout.cell_graph)
    assert (graph.channels, list(graph.gene_ids)) == ((), ["MDM2", "RB1", "TP53"])
    found = samples_of(layout)
    assert found["cell:L1,cell:L2"] == (["RB1", "TP53"], 2)
    assert found["cell:L4"] == (["ALONE", "MDM2"], 1)
    assert all(check.passed for check in verify(layout))


def test_one_table_has_plain_names(tmp_path: Path) -> None:
    """DrugCell's files."""
    sources = files(tmp_path)
    sources["cells"] = [path for path in sources["cells"] if "cndeletion" not in path]
    layout = made(tmp_path, sources)
    assert samples_of(layout)["cell:L2"] == (["RB1", "TP53"], 1)


def test_several_drugs_are_refused_unless_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"3 drugs: drugA \(9 rows\), drugB \(4 rows\), drugC"):
        made(tmp_path, files(tmp_path), drugs=[])
    with pytest.raises(InputError, match=r"no drug 'drugX'; it has drugA, drugB, drugC"):
        made(tmp_path, files(tmp_path), drugs=["drugX"])


def test_each_drug_is_a_phenotype(tmp_path: Path) -> None:
    layout = made(tmp_path, files(tmp_path), drugs=["drugB", "drugA"])
    assert StoreReader(layout.store).meta.phenotypes == ("drugB", "drugA", "drugB_spread", "count")
    found = samples_of(layout)
    assert list(found) == ["cell:L4", "cell:L6", "cell:L0"]  # by genes
    assert values_of(layout, "drugB") == [0.9, 0.3, 0.1]
    assert values_of(layout, "drugA") == [0.8, 0.25, 0.6]
    own = read_json(layout.genotypes / "ledger.json")["files"][0]["cell_lines"]
    assert own["dropped"] == {"other_drug": 1, "cell_line_without_first_drug": 5}
    assert own["drugs"] == {"drugB": 4, "drugA": 9}


def test_a_drug_that_is_a_placeholder_is_a_response(tmp_path: Path) -> None:
    rows = [f"L{n}\t-\t0.{n + 1}" for n in range(8)]
    layout = made(tmp_path, files(tmp_path, responses="\n".join(rows) + "\n"), drugs=[])
    assert StoreReader(layout.store).meta.phenotypes[0] == "response"


def test_a_header_and_missing_values(tmp_path: Path) -> None:
    text = "cell_line\tdrug\tauc\nL0\tdrugA\t0.5\nL1\tdrugA\tNA\nL2\tdrugA\t0.25\nL4\tdrugA\t1\n"
    layout = made(tmp_path, files(tmp_path, responses=text))
    own = read_json(layout.genotypes / "ledger.json")["files"][0]["cell_lines"]
    assert (own["rows"], own["dropped"]) == (4, {"not_measured": 1})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("L0\tdrugA", "found 2 columns; expected cell line, drug and response"),
        ("L0\tdrugA\thigh", "found the response 'high'; expected a number"),
        ("L99\tdrugA\t0.5", "found the cell line 'L99', which cell2ind.txt does not have"),
        ("L0\tdrugA\tinf", "found the response 'inf'; expected a number"),
    ],
)
def test_rows_that_cannot_be_read(tmp_path: Path, row: str, said: str) -> None:
    rows = [f"{cell}\t{drug}\t{value}" for cell, drug, value in RESPONSES]
    sources = files(tmp_path, responses="\n".join([*rows, row]) + "\n")
    with pytest.raises(InputError, match=rf"responses.txt:15: {said}"):
        made(tmp_path, sources)
    layout = made(tmp_path, sources, on_bad_row="skip")
    own = read_json(layout.genotypes / "ledger.json")["files"][0]["cell_lines"]
    assert own["dropped"]["malformed"] == 1


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("gene2ind", "0\tTP53\n2\tRB1\n", "numbers of the 2 genes are not 0, 1, 2"),
        ("gene2ind", "0\tTP53\n1\tTP53\n", "gene2ind.txt:2: the gene 'TP53' or its number"),
        ("gene2ind", "TP53\n", "gene2ind.txt:1: found 'TP53'; expected the number of a gene"),
        ("cell2ind", "0\tL0\n", "8 rows; .*cell2ind.txt names 1 cell line"),
        ("cell2mutation", "1,0,0\n" * 8, "cell2mutation.txt:1: 3 values; .* names 4 genes"),
        ("cell2mutation", "0,0,0,2\n" * 8, "cell2mutation.txt:1: value 4 is '2'; expected 0 or 1"),
        ("responses", "\n", "no response that was measured"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        made(tmp_path, files(tmp_path, **{name: text}))


def test_drugs_are_of_cell_lines(tmp_path: Path) -> None:
    sources = files(tmp_path)
    (tmp_path / "plain.csv").write_text("genes,growth\nTP53,0.5\nRB1,0.6\nMDM2,0.7\n")
    del sources["cells"]
    with pytest.raises(InputError, match=r"genotypes.drugs is for responses of cell lines"):
        made(tmp_path, sources | {"genotypes": [str(tmp_path / "plain.csv")]})


def test_assayed_genes_are_those_of_any_channel(tmp_path: Path) -> None:
    given = {
        "sources": {"profile": "local", **files(tmp_path)}, "genotypes": {"drugs": ["drugA"]},
        "hierarchy": {"steps": [], "gene_universe": "assayed"}, "dask": {"workers": 1},
        "split": {"val": 0.2, "test": 0.2},
    }  # fmt: skip
    layout = build(resolve(given), tmp_path / "build")
    assert CellGraph.read(layout.cell_graph).num_genes == 6
    genes = pl.read_parquet(layout.genotypes / "genes.parquet")
    assert genes["of_gene"].unique().sort().to_list() == ["ALONE", "MDM2", "RB1", "TP53"]


def test_a_test_file_has_responses_too(tmp_path: Path) -> None:
    sources = files(tmp_path)
    (tmp_path / "test.txt").write_text("L7\tdrugA\t0.5\n")
    layout = made(tmp_path, sources | {"test_genotypes": [str(tmp_path / "test.txt")]})
    assert samples_of(layout)["cell:L7"][1] == 1
    assert read_json(layout.split / "ledger.json")["test"] == 1


def test_export_for_cellmaps_vnn_is_built_again(tmp_path: Path) -> None:
    """What is written for it are the same genotypes once more."""
    layout = made(tmp_path, files(tmp_path))
    out = tmp_path / "vnn"
    export(layout.root, "cx2", out, "drugA")
    assert (out / "gene2ind.txt").read_text() == "0\tMDM2\n1\tRB1\n2\tTP53\n"
    names = ("gene2ind", "cell2ind", "cell2mutation", "cell2cndeletion", "cell2cnamplification")
    responses = [str(out / "training_data.txt")]
    again = {
        "ontology": str(out / "hierarchy.cx2"), "genotypes": responses,
        "test_genotypes": [str(out / "predict_data.txt")],
        "cells": [str(out / f"{name}.txt") for name in names],
    }  # fmt: skip
    (tmp_path / "again").mkdir()
    second = made(tmp_path / "again", again, drugs=[])
    before = sorted(genes for genes, _ in samples_of(layout).values())
    known = [[name for name in genes if "ALONE" not in name] for genes in before]
    assert sorted(genes for genes, _ in samples_of(second).values()) == sorted(known)
    np.testing.assert_allclose(sorted(values_of(second, "response")), sorted(
        values_of(layout, "drugA")), rtol=1e-6)  # fmt: skip


def test_a_control_has_the_channels_too(tmp_path: Path) -> None:
    """Genes change places with all of their channels."""
    layout = made(tmp_path, files(tmp_path))
    control, _ = make(layout.root, "genes", 1)
    assert CellGraph.read(control.cell_graph).channels == ("cndeletion", "mutation")
    assert all(check.passed for check in verify(control))
