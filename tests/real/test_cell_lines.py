"""DrugCell's own hierarchy and genes with cell lines of drawn alterations, as NeST-VNN has them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from data_specs.parameters import resolve
from dcell_model.data import MutantStateDataset
from dcell_model.dcell import DCell, dcell_loss
from pipeline.build import build
from pipeline.verify import verify
from tests.engines import WAYS, running

LINES, CHANNELS = 40, ("cnamplification", "cndeletion", "mutation")


@pytest.fixture(scope="module")
def drawn(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of 40 cell lines with 300 to 1,000 altered genes each; read only."""
    folder, random = tmp_path_factory.mktemp("drugcell"), np.random.default_rng(0)
    genes = (real_data / "drugcell" / "gene2ind.txt").read_text().splitlines()
    altered = random.integers(300, 1000, LINES)
    cells = [folder / "cell2ind.txt", real_data / "drugcell" / "gene2ind.txt"]
    cells[0].write_text("".join(f"{n}\tLINE{n}\n" for n in range(LINES)))
    for channel in CHANNELS:
        table = np.zeros((LINES, len(genes)), dtype=int)
        for row, count in zip(table, altered // len(CHANNELS), strict=True):
            row[random.choice(len(genes), count, replace=False)] = 1
        cells.append(folder / f"cell2{channel}.txt")
        cells[-1].write_text("".join(",".join(map(str, row)) + "\n" for row in table))
    responses = folder / "training_data.txt"
    rows = [f"LINE{n}\tdrug{d}\t{random.normal():.4f}\tGDSC1" for n in range(LINES) for d in "AB"]
    responses.write_text("\n".join(rows) + "\n")
    given = {
        "sources": {
            "profile": "local", "ontology": str(real_data / "drugcell" / "drugcell_ont.txt"),
            "genotypes": [str(responses)], "cells": list(map(str, cells)),
        },
        "genotypes": {"drugs": ["drugA", "drugB"]}, "hierarchy": {"steps": []},
        "dask": {"workers": 1},
    }  # fmt: skip
    return build(resolve(given), folder / "build").root


@pytest.mark.real
@pytest.mark.slow
def test_drugcells_files_are_built(drawn: Path) -> None:
    from data_specs.layout import DataLayout

    dataset = MutantStateDataset(drawn / "store")
    graph = dataset.graph
    assert graph.channels == CHANNELS
    assert graph.num_genes == 3 * 3008
    assert len(graph.annotations) == 3 * 59_753
    assert dataset.phenotypes[:2] == ("drugA", "drugB")
    sizes = [len(dataset[number].genes) for number in range(len(dataset))]
    assert len(sizes) == LINES
    assert 290 <= min(sizes) <= max(sizes) <= 1000
    assert all(check.passed for check in verify(DataLayout(drawn)))


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_step_on_cell_lines_is_the_references(drawn: Path, way: str) -> None:
    dataset = MutantStateDataset(drawn / "store", phenotypes=["drugA", "drugB"])
    batch = dataset.batch(range(6))
    config = resolve({"model": {"width_min": 2, "width_ratio": 0.02}}).model
    gradients, losses = [], []
    with running(way) as engine:
        for name in ("reference", engine):
            torch.manual_seed(0)
            model = DCell(dataset.graph, config, phenotypes=2, engine=name).double()
            loss = dcell_loss(model(batch, dense=False), batch.phenotypes.double(), model)
            loss.backward()
            losses.append(float(loss.detach()))
            assert model.gene_weight.grad is not None
            gradients.append(model.gene_weight.grad)
    assert losses[1] == pytest.approx(losses[0], rel=1e-9)
    scale = float(gradients[0].abs().max())
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-9, atol=1e-9 * scale)
