"""The batches of an epoch: order, resume in its middle, and samples held on a device."""

import itertools
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from data_specs.errors import InputError
from dcell_model.data.batches import EpochBatches, ResidentSamples, TrainingBatches
from dcell_model.data.dataset import MutantStateBatch, MutantStateDataset


@given(
    samples=st.integers(2, 40),
    batch_size=st.integers(2, 12),
    epoch=st.integers(0, 3),
    data=st.data(),
)
def test_an_epoch_begins_anywhere(
    samples: int, batch_size: int, epoch: int, data: st.DataObject
) -> None:
    numbers = np.arange(samples) * 3
    order = EpochBatches(numbers, batch_size, seed=5)
    order.begin(epoch)
    whole = list(order)
    assert len(whole) == len(order)
    assert all(len(batch) > 1 for batch in whole)
    seen = [number for batch in whole for number in batch]
    assert len(set(seen)) == len(seen)
    assert set(seen) <= set(numbers.tolist())
    assert samples - len(seen) == (samples % batch_size == 1)
    first = data.draw(st.integers(0, len(whole)))
    again = EpochBatches(numbers, batch_size, seed=5)
    again.begin(epoch, first)
    assert list(again) == whole[first:]
    again.begin(epoch + 1)
    if samples > 8:
        assert list(again) != whole


@given(
    samples=st.integers(8, 60),
    batch_size=st.integers(1, 6),
    processes=st.integers(1, 4),
    least=st.integers(1, 8),
)
def test_processes_share_every_batch(
    samples: int, batch_size: int, processes: int, least: int
) -> None:
    """Together they take the batches of one process whose batches are as large, without overlap."""
    numbers, least = np.arange(samples), min(max(least, processes, 2), batch_size * processes)
    assume(batch_size * processes > 1)
    parts = [
        EpochBatches(numbers, batch_size, seed=3, rank=rank, processes=processes, least=least)
        for rank in range(processes)
    ]
    whole = EpochBatches(numbers, batch_size * processes, seed=3, least=least)
    for order in (*parts, whole):
        order.begin(2)
    shared = list(zip(*parts, strict=True))
    assert [[n for part in batch for n in part] for batch in shared] == list(whole)
    assert all(part for batch in shared for part in batch)
    assert [sum(map(len, batch)) for batch in shared] == [
        parts[0].size(n) for n in range(len(whole))
    ]
    left_out = samples - sum(whole.size(n) for n in range(len(whole)))
    rest = samples % (batch_size * processes)
    assert left_out == (rest if rest < least else 0)


@pytest.mark.parametrize(("batch_size", "processes", "least"), [(1, 1, 2), (1, 2, 4), (3, 1, 9)])
def test_batches_too_small(batch_size: int, processes: int, least: int) -> None:
    message = f"batch_size={batch_size} with 5 .* at least {least} samples"
    with pytest.raises(InputError, match=message):
        EpochBatches(np.arange(5), batch_size, processes=processes, least=least)


@pytest.fixture(scope="module")
def dataset(tiny_build: Path) -> MutantStateDataset:
    return MutantStateDataset(tiny_build / "store")


def test_resident_samples_are_the_stores(dataset: MutantStateDataset) -> None:
    resident = ResidentSamples(dataset, "cpu")
    assert len(resident) == len(dataset)
    indices = [3, 3, 0, 44, 17]
    got, expected = resident.batch(indices), dataset.batch(indices)
    for name in ("index", "sample", "term", "gene", "deleted_sample", "deleted_gene"):
        columns = [getattr(batch, name) for batch in (got, expected)]
        assert columns[0].dtype == columns[1].dtype == torch.int64
    assert got.names == expected.names
    torch.testing.assert_close(got.phenotypes, expected.phenotypes, equal_nan=True)

    def rows(batch: object, *names: str) -> list[tuple[int, ...]]:
        return sorted(zip(*(getattr(batch, name).tolist() for name in names), strict=True))

    for names in (("sample", "term", "gene"), ("deleted_sample", "deleted_gene")):
        assert rows(got, *names) == rows(expected, *names)


def test_resident_only_where_there_is_a_gpu(dataset: MutantStateDataset) -> None:
    assert not ResidentSamples.fits(dataset, torch.device("cpu"))


@pytest.mark.parametrize("context", [None, "fork"])
def test_workers_give_the_same_batches(dataset: MutantStateDataset, context: str | None) -> None:
    order = EpochBatches(np.arange(45), 16, seed=1)
    order.begin(2, 1)
    loader = DataLoader(
        dataset,  # type: ignore[arg-type]
        batch_sampler=order,
        num_workers=2 if context else 0,
        multiprocessing_context=context,
    )
    got = [batch.index.tolist() for batch in loader]
    order.begin(2, 1)
    assert got == list(order)
    assert len(got) == 2


def test_training_batches_come_back_each_epoch(dataset: MutantStateDataset) -> None:
    order = EpochBatches(np.arange(45), 16, seed=1)
    batches = TrainingBatches(dataset, order, torch.device("cpu"), num_workers=1)
    seen = []
    for epoch in (1, 2):
        order.begin(epoch)
        seen.append([batch.index.tolist() for batch in batches])
        order.begin(epoch)
        assert seen[-1] == list(order)
    assert seen[0] != seen[1]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_made_ready_one_ahead(dataset: MutantStateDataset, workers: int) -> None:
    order = EpochBatches(np.arange(len(dataset)), 16)
    ready: list[int] = []

    def ahead(batch: MutantStateBatch) -> None:
        assert threading.current_thread() is not threading.main_thread()
        batch.plan = [batch.index]
        ready.append(len(batch))

    batches = TrainingBatches(dataset, order, torch.device("cpu"), workers, ahead)
    for epoch in (0, 1):
        order.begin(epoch)
        ready.clear()
        for number, (batch, indices) in enumerate(zip(batches, order, strict=True), start=1):
            assert batch.index.tolist() == indices
            assert batch.plan is not None
            assert torch.equal(batch.plan[0], batch.index)
            assert len(ready) in (number, number + 1)
        assert len(ready) == len(order)


def test_several_threads_make_batches_ahead_in_order(dataset: MutantStateDataset) -> None:
    order = EpochBatches(np.arange(len(dataset)), 8)
    whole = len(order) // 3 * 3
    together, made = threading.Barrier(3), itertools.count()

    def ahead(batch: MutantStateBatch) -> None:
        if next(made) < whole:
            together.wait(timeout=60)  # three are under way, or this fails
        batch.plan = [batch.index]

    batches = TrainingBatches(dataset, order, torch.device("cpu"), ahead=ahead, threads=3)
    found = [batch.index.tolist() for batch in batches]
    assert found == list(order)
    assert not {"batches", "ahead"} & {t.name.split("_")[0] for t in threading.enumerate()}


def test_what_goes_wrong_ahead_ends_the_epoch(dataset: MutantStateDataset) -> None:
    def ahead(batch: MutantStateBatch) -> None:
        if 40 in batch.index:
            raise MemoryError("no room")

    order = EpochBatches(np.arange(len(dataset)), 16)
    batches = TrainingBatches(dataset, order, torch.device("cpu"), ahead=ahead)
    with pytest.raises(MemoryError, match="no room"):
        list(batches)
    running = [thread for thread in threading.enumerate() if thread.name.startswith("batches")]
    assert not running


def test_an_epoch_that_is_left_leaves_no_thread(dataset: MutantStateDataset) -> None:
    order = EpochBatches(np.arange(len(dataset)), 16)
    batches = iter(TrainingBatches(dataset, order, torch.device("cpu"), ahead=lambda _: None))
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert not any(thread.name.startswith("batches") for thread in threading.enumerate())
