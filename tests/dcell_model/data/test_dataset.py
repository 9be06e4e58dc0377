"""Reading samples: views, batches, loaders, worker processes."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, RandomSampler

from data_specs.cell_graph import CellGraph
from data_specs.errors import InputError
from data_specs.layout import DataLayout
from dcell_model.data.dataset import MutantStateBatch, MutantStateDataset, encode_genotypes
from tests.hierarchies import random_cell_graph
from tests.pipeline.store.test_stage import genotypes, write
from tests.replacement import read_while_replaced


@pytest.fixture(scope="module", params=[("delta", 1), ("dense", 1), ("delta", 7)])
def dataset(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    graph = random_cell_graph(3)
    folder = tmp_path_factory.mktemp("build")
    layout, shards = request.param
    write(graph, genotypes(graph, 60), folder / "store", shards, layout=layout, block_bytes=700)
    graph.write(folder / "cell_graph")
    return MutantStateDataset(folder / "store")


def rows_of(batch: MutantStateBatch, position: int) -> set[tuple[int, int]]:
    inside = batch.sample == position
    return set(zip(batch.term[inside].tolist(), batch.gene[inside].tolist(), strict=True))


def test_views_are_read_only(dataset: MutantStateDataset) -> None:
    sample = dataset[5]
    for view in (sample.genes, *sample.rows.values()):
        assert not view.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            view[...] = 0


def test_batch_equals_samples(dataset: MutantStateDataset) -> None:
    indices = [7, 3, 59, 7, 0, -1, 30]
    batch = dataset.batch(indices)
    assert len(batch) == 7
    assert batch.index.tolist() == [7, 3, 59, 7, 0, 59, 30]
    for position, index in enumerate(indices):
        sample = dataset[index]
        assert rows_of(batch, position) == {(t, g) for t, g, _, _ in sample.delta.tolist()}
        deleted = batch.deleted_gene[batch.deleted_sample == position]
        assert deleted.tolist() == sample.genes.tolist()
        expected = [sample.phenotypes[name] for name in batch.names]
        np.testing.assert_array_equal(batch.phenotypes[position].numpy(), np.float32(expected))


def test_empty_batch(dataset: MutantStateDataset) -> None:
    assert len(dataset.batch([])) == 0


@pytest.mark.parametrize("index", [60, -61])
def test_out_of_range(dataset: MutantStateDataset, index: int) -> None:
    with pytest.raises(IndexError, match="60 samples"):
        dataset[index]


def test_encoding_without_a_store_is_the_same(dataset: MutantStateDataset) -> None:
    indices = list(range(60))
    stored = dataset.batch(indices)
    genes = [dataset[index].genes.tolist() for index in indices]
    encoded = encode_genotypes(dataset.graph, genes)
    for position in indices:
        assert rows_of(encoded, position) == rows_of(stored, position)


@pytest.mark.parametrize("workers", ["none", "fork"])
def test_stock_loader(dataset: MutantStateDataset, workers: str) -> None:
    check_loader(dataset, workers)


@pytest.mark.parametrize("dataset", [("delta", 7)], indirect=True)
def test_stock_loader_of_spawned_workers(dataset: MutantStateDataset) -> None:
    """Of one store: each worker imports torch, and any dataset reaches it as `pickle` has it."""
    check_loader(dataset, "spawn")


def check_loader(dataset: MutantStateDataset, workers: str) -> None:
    dataset[0]  # the parent has the store open when its workers start
    loader = DataLoader(
        dataset,
        batch_size=16,
        sampler=RandomSampler(dataset, generator=torch.Generator().manual_seed(0)),
        num_workers=0 if workers == "none" else 2,
        multiprocessing_context=None if workers == "none" else workers,
    )
    batches = list(loader)
    assert [len(batch) for batch in batches] == [16, 16, 16, 12]
    assert sorted(torch.cat([batch.index for batch in batches]).tolist()) == list(range(60))
    first = batches[0]
    for position, index in enumerate(first.index.tolist()):
        expected = {(t, g) for t, g, _, _ in dataset[index].delta.tolist()}
        assert rows_of(first, position) == expected


def test_pickle_carries_no_open_store(dataset: MutantStateDataset) -> None:
    dataset[0]
    assert len(pickle.dumps(dataset)) < 20_000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dataset))[9].delta, dataset[9].delta)


def test_phenotypes_are_chosen_by_name(dataset: MutantStateDataset) -> None:
    folder = dataset.reader.folder
    chosen = MutantStateDataset(folder, phenotypes=["count", "score"])
    assert chosen.batch([3]).names == ("count", "score")
    assert chosen.batch([3]).phenotypes[0, 0] == 1
    with pytest.raises(InputError, match="no phenotype 'nothing'; it has score"):
        MutantStateDataset(folder, phenotypes=["nothing"])


def test_cell_graph_beside_the_store_is_found(dataset: MutantStateDataset) -> None:
    beside: Path = dataset.reader.folder.parent / "cell_graph"
    assert dataset.graph.fingerprint == CellGraph.read(beside).fingerprint


def fingerprint_of(build: Path) -> str:
    """Of the cell graph and the store of one build: they are refused if they do not fit."""
    dataset = MutantStateDataset(build / "store")
    assert len(dataset.batch(range(len(dataset)))) == 30
    return dataset.graph.fingerprint


def test_readers_while_whole_builds_are_replaced(tmp_path: Path) -> None:
    """Cell graph and store of one build, never one of each, and never refused."""
    builds = []
    for seed in (3, 4):
        graph = random_cell_graph(seed)
        builds.append(tmp_path / f"build{seed}")
        builds[-1].mkdir()
        graph.write(builds[-1] / "cell_graph")
        write(graph, genotypes(graph, 30), builds[-1] / "store")
    own = DataLayout(builds[0]).own_of_all()
    read_while_replaced(fingerprint_of, builds, tmp_path / "target", own, readers=4, turns=60)
