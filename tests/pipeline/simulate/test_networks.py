"""Simulated networks say what the ontology says, but less well."""

import io

import numpy as np
import polars as pl
import pytest

from data_specs.parameters.sections import Simulate
from pipeline.simulate.networks import KINDS, draw_network
from pipeline.simulate.stage import RawInputs, simulate

CONFIG = Simulate(terms=60, genes=150, annotations=800, queries=8, arrays=40, triples=200)


@pytest.fixture(scope="module")
def inputs() -> RawInputs:
    return simulate(CONFIG)


def test_tables(inputs: RawInputs) -> None:
    assert list(inputs.networks) == list(KINDS)
    for text in inputs.networks.values():
        table = pl.read_csv(io.StringIO(text), separator="\t")
        assert table.columns == ["gene_a", "gene_b", "weight"]
        assert table.height > 20
        assert (table["gene_a"] < table["gene_b"]).all()
        assert table.select("gene_a", "gene_b").is_duplicated().sum() == 0
        assert table.sort("gene_a", "gene_b").equals(table)
        assert table["weight"].is_between(0, 1).all()
        assert set(table["gene_a"]) | set(table["gene_b"]) <= set(inputs.cell.genes)


def test_linked_genes_share_terms(inputs: RawInputs) -> None:
    cell = inputs.cell
    specific = cell.contained[cell.contained.sum(1) <= 0.2 * len(cell.genes)].astype(int)
    together = (specific.T @ specific) > 0
    everywhere = together[np.triu_indices(len(cell.genes), 1)].mean()
    for name, (*kind, noise) in KINDS.items():
        edges, weights = draw_network(cell, *kind, noise, np.random.default_rng(0))
        shared = together[edges[:, 0], edges[:, 1]]
        assert shared.mean() > max(1.5 * everywhere, 0.8 * (1 - noise)), name
        assert weights[shared].mean() > weights[~shared].mean()


def test_no_term_of_such_a_size(inputs: RawInputs) -> None:
    edges, weights = draw_network(inputs.cell, 1.1, 1.2, 2.0, 0.1, np.random.default_rng(0))
    assert edges.shape == (0, 2)
    assert len(weights) == 0


def test_same_seed_same_bytes(inputs: RawInputs) -> None:
    assert simulate(CONFIG).networks == inputs.networks
