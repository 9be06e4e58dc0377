"""The batches of an epoch: their order, and where they come from."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from data_specs.errors import InputError
from data_specs.ragged import ragged_entries
from dcell_model.data.dataset import MutantStateBatch, MutantStateDataset


class EpochBatches(Sampler[list[int]]):
    """Sample numbers of every batch of an epoch, in an order that seed and epoch alone decide.

    An epoch may begin at any of its batches: a run that stopped in the middle goes on with just
    those that are left. Processes share every batch: together they take what one process would
    take with a batch as large, each sample once. A `DataLoader` takes it as `batch_sampler`.

    Args:
        samples: `[S]` sample numbers to train on.
        batch_size: samples a batch and process; the last batch may be smaller.
        seed: of the shuffle.
        rank: of this process.
        processes: how many share an epoch.
        least: samples without which the last batch is omitted, over all processes; at least two,
            and one a process.

    Raises:
        InputError: no batch has so many samples.
    """

    def __init__(
        self,
        samples: npt.NDArray[np.int64],
        batch_size: int,
        *,
        seed: int = 0,
        rank: int = 0,
        processes: int = 1,
        least: int = 2,
    ) -> None:
        self.samples, self.seed, self.rank, self.processes = samples, seed, rank, processes
        self.batch_size = batch_size * processes  # of all processes together
        self.least = max(2, processes, least)
        self.epoch, self.first = 0, 0
        if self.batch_size < self.least or len(self) == 0:
            raise InputError(
                f"train.batch_size={batch_size} with {len(samples)} training samples and "
                f"{processes} processes: a step needs at least {self.least} samples"
            )

    def __len__(self) -> int:
        whole, rest = divmod(len(self.samples), self.batch_size)
        return whole + (rest >= self.least)

    def size(self, batch: int) -> int:
        """Samples of a batch over all processes."""
        return min(self.batch_size, len(self.samples) - batch * self.batch_size)

    def begin(self, epoch: int, first: int = 0) -> None:
        """The next iteration is this epoch's, from its batch number `first` on."""
        self.epoch, self.first = epoch, first

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        order = self.samples[torch.randperm(len(self.samples), generator=generator).numpy()]
        for batch in range(self.first, len(self)):
            all_samples = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield np.array_split(all_samples, self.processes)[self.rank].tolist()


class ResidentSamples:
    """All samples of a store in one device's memory, from which batches are gathered there.

    A store of a hundred thousand triples takes some 25 MB; nothing is left to copy in training.

    Args:
        dataset: the store.
        device: where to.
    """

    def __init__(self, dataset: MutantStateDataset, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self.names = dataset.phenotypes
        parts = [
            dataset.batch(np.arange(first, min(first + _CHUNK, len(dataset))))
            for first in range(0, len(dataset), _CHUNK)
        ]

        def flat(name: str) -> Tensor:
            return torch.cat([getattr(part, name) for part in parts]).to(torch.int32).to(device)

        def starts(name: str) -> Tensor:
            counts = [torch.bincount(getattr(p, name), minlength=len(p)) for p in parts]
            return torch.cat([torch.zeros(1, dtype=torch.int64), *counts]).cumsum(0).to(device)

        self._rows = {"term": flat("term"), "gene": flat("gene")}
        self._genes = {"deleted_gene": flat("deleted_gene")}
        if dataset.meta.graded:
            self._rows["state"] = torch.cat([part.states()[0] for part in parts]).to(device)
            self._genes["state"] = torch.cat([part.states()[1] for part in parts]).to(device)
        self._row_starts, self._gene_starts = starts("sample"), starts("deleted_sample")
        self._phenotypes = torch.cat([part.phenotypes for part in parts]).to(device)

    def __len__(self) -> int:
        return len(self._phenotypes)

    @staticmethod
    def fits(dataset: MutantStateDataset, device: torch.device) -> bool:
        """Whether the samples would take less than a quarter of a CUDA device's free memory."""
        if device.type != "cuda":
            return False
        size = sum(path.stat().st_size for path in dataset.reader.folder.glob("*/data.mdb"))
        return size < torch.cuda.mem_get_info(device)[0] / 4

    def batch(self, indices: list[int] | Tensor) -> MutantStateBatch:
        """Gather the samples of any indices, repeats allowed, on the device."""
        index = torch.as_tensor(indices, dtype=torch.int64).to(self.device, non_blocking=True)
        rows, genes = self._row_starts, self._gene_starts
        sample, row = ragged_entries(rows[index], rows[index + 1])
        deleted_sample, entry = ragged_entries(genes[index], genes[index + 1])
        return MutantStateBatch(
            index=index,
            sample=sample,
            term=self._rows["term"][row].long(),
            gene=self._rows["gene"][row].long(),
            deleted_sample=deleted_sample,
            deleted_gene=self._genes["deleted_gene"][entry].long(),
            phenotypes=self._phenotypes[index],
            names=self.names,
            state=self._rows["state"][row] if "state" in self._rows else None,
            deleted_state=self._genes["state"][entry] if "state" in self._genes else None,
        )


_CHUNK = 65_536


class TrainingBatches:
    """The batches of an epoch on the device that trains.

    The whole store is held on a CUDA device if it fits; else batches are gathered from the mapped
    file, by worker processes if asked, and copied without waiting.

    Args:
        dataset: the store.
        order: of the batches.
        device: that trains.
        num_workers: processes that gather.
        ahead: makes something of every batch, in a thread, while the batch before is trained on.
            What it makes is of a batch on the CPU, so no store is held on the device then.
        threads: how many do that, of as many batches.
    """

    def __init__(
        self,
        dataset: MutantStateDataset,
        order: EpochBatches,
        device: torch.device,
        num_workers: int = 0,
        ahead: Callable[[MutantStateBatch], None] | None = None,
        threads: int = 1,
    ) -> None:
        self.order, self.device, self.ahead, self.threads = order, device, ahead, threads
        self.resident: ResidentSamples | None = None
        if ahead is None and ResidentSamples.fits(dataset, device):
            self.resident = ResidentSamples(dataset, device)
        self._loader: DataLoader[MutantStateBatch] = DataLoader(
            dataset,  # type: ignore[arg-type]
            batch_sampler=order,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=device.type == "cuda",
        )

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[MutantStateBatch]:
        if self.resident is not None:
            yield from map(self.resident.batch, self.order)
        elif self.ahead is None:
            # Workers begin here, in the thread that asks.
            batches = iter(self._loader)
            yield from (batch.to(self.device, non_blocking=True) for batch in batches)
        else:
            yield from self._made_ahead(self.ahead)

    def _made_ahead(self, ahead: Callable[[MutantStateBatch], None]) -> Iterator[MutantStateBatch]:
        batches = iter(self._loader)

        def made(gathered: Future[MutantStateBatch | None]) -> MutantStateBatch | None:
            batch = gathered.result()
            if batch is None:
                return None
            ahead(batch)
            return batch.to(self.device, non_blocking=True)

        with (
            ThreadPoolExecutor(1, "batches") as gathering,
            ThreadPoolExecutor(self.threads, "ahead") as making,
        ):
            waiting: deque[Future[MutantStateBatch | None]] = deque()

            def begin() -> None:
                gathered = gathering.submit(next, batches, None)
                waiting.append(making.submit(made, gathered))

            for _ in range(self.threads):
                begin()
            while (batch := waiting.popleft().result()) is not None:
                begin()
                yield batch
