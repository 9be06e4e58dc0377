"""Genotypes as tables for cellmaps_vnn: what is in them, what is omitted, and its own reading."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data_specs.errors import ArtefactError, InputError
from data_specs.layout import DataLayout
from data_specs.parameters.sections import resolve
from pipeline.build import build
from pipeline.export import cellmaps_tables
from pipeline.export.command import export
from tests.conftest import TINY, tiny_parameters
from tests.pipeline.exchange.cellmaps import needs_cellmaps, read_by_cellmaps

MATRICES = ("cell2mutation.txt", "cell2cndeletion.txt", "cell2cnamplification.txt")


def numbered(path: Path) -> list[str]:
    """The names of a table of indices, which count up from 0."""
    rows = [line.split() for line in path.read_text().splitlines()]
    assert [int(index) for index, _ in rows] == list(range(len(rows)))
    return [name for _, name in rows]


def labelled(path: Path) -> dict[str, float]:
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    assert {(smiles, dataset) for _, smiles, _, dataset in rows} == {("-", "dcell")}
    return {cell: float(value) for cell, _, value, _ in rows}


def test_tables(tiny_build: Path, tmp_path: Path) -> None:
    written = export(tiny_build, "cx2", tmp_path / "out", "fitness")
    assert {path.name for path in written} == {path.name for path in (tmp_path / "out").iterdir()}
    cells, genes = (numbered(tmp_path / "out" / f"{kind}2ind.txt") for kind in ("cell", "gene"))
    hits, *zeros = (np.loadtxt(tmp_path / "out" / name, delimiter=",") for name in MATRICES)
    assert hits.shape == (45, len(genes))
    assert not np.any(zeros)
    measured = {
        "|".join(row["genes"]): row["fitness"]
        for row in pl.read_parquet(tiny_build / "genotypes" / "genotypes.parquet").to_dicts()
    }
    parts = pl.read_parquet(tiny_build / "split" / "split.parquet")["part"].to_list()
    given = {
        part: labelled(tmp_path / "out" / f"{part}_data.txt") for part in ("training", "predict")
    }
    for row, cell in enumerate(cells):
        sample, _, genotype = cell.partition(":")
        assert {genes[column] for column in np.flatnonzero(hits[row])} == {
            gene for gene in genotype.split("|") if gene in genes
        }
        table = "predict" if parts[int(sample)] == "test" else "training"
        assert given[table].pop(cell) == pytest.approx(measured.pop(genotype), rel=1e-6)
    assert not any(given.values())
    assert not measured


def test_every_genotype_is_counted(tmp_path: Path) -> None:
    """Those that the split excludes, and those whose phenotype was not measured."""
    lines = (TINY / "tiny.tsv").read_text().splitlines()
    rows = [f"{line}\t{'' if number % 3 else number}" for number, line in enumerate(lines[1:])]
    (tmp_path / "own.tsv").write_text("\n".join([f"{lines[0]}\tsize", *rows, ""]))
    given = tiny_parameters(
        sources={"genotypes": [str(tmp_path / "own.tsv")]}, split={"method": "gene", "test": 0.2}
    )
    layout = build(resolve(given), tmp_path / "build")
    export(layout.root, "cx2", tmp_path / "out", "size")
    ledger = json.loads((tmp_path / "out" / "ledger.json").read_text())
    assert all(ledger["dropped"].values())
    assert sum((*ledger["genotypes"].values(), *ledger["dropped"].values())) == 45
    assert len(numbered(tmp_path / "out" / "cell2ind.txt")) == sum(ledger["genotypes"].values())


def test_what_is_refused(tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match="no phenotype 'colour'; it has fitness"):
        export(tiny_build, "cx2", out, "colour")
    with pytest.raises(InputError, match="--format cx2, or omit --genotypes"):
        export(tiny_build, "graphml", out, "fitness")
    monkeypatch.setattr(cellmaps_tables, "MOST_VALUES", 300)
    with pytest.raises(InputError, match=r"45 genotypes of 8 genes make tables of more than 300"):
        export(tiny_build, "cx2", out, "fitness")
    assert not out.exists()


def test_a_split_of_another_store(tiny_build: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="is not the split of the store"):
        cellmaps_tables._parts(DataLayout(tiny_build), 44)


READER = """
import json, sys
from cellmaps_vnn.data_wrapper import TrainingDataWrapper
from cellmaps_vnn.util import build_input_vector, load_cell_features, load_mapping
folder, out = sys.argv[1:]
path = lambda name: f"{folder}/{name}"
wrapper = TrainingDataWrapper.__new__(TrainingDataWrapper)
wrapper._training_data, wrapper.zscore_method = path("training_data.txt"), "auc"
wrapper.std = out + "/std.txt"
wrapper.cell_id_mapping = load_mapping(path("cell2ind.txt"), "cell lines")
names = "cell2mutation.txt", "cell2cndeletion.txt", "cell2cnamplification.txt"
features = load_cell_features(*map(path, names))
seen = []
train, labels, val, val_labels = wrapper._prepare_train_data()
for cells, values in ((train, labels), (val, val_labels)):
    for row, value in zip(build_input_vector(cells, features), values):
        seen.append([row[:, 0].nonzero().flatten().tolist(), float(value)])
print(json.dumps({"shape": features.shape, "seen": seen}))
"""


@needs_cellmaps
def test_cellmaps_reads_them(tiny_build: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    export(tiny_build, "cx2", folder, "fitness")
    found = read_by_cellmaps(READER, folder, tmp_path)
    genes = numbered(folder / "gene2ind.txt")
    assert found["shape"] == [45, len(genes), 3]
    expected = []
    for cell, value in labelled(folder / "training_data.txt").items():
        deleted = cell.partition(":")[2].split("|")
        columns = sorted(genes.index(gene) for gene in deleted if gene in genes)
        expected.append([columns, float(np.float32(value))])
    assert sorted(found["seen"]) == sorted(expected)
