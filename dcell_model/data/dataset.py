"""The samples of a store: read in place, one at a time or gathered in batches."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torch.utils.data._utils.collate import default_collate_fn_map

from data_specs.cell_graph import CellGraph
from data_specs.errors import ArtefactError, InputError
from data_specs.gene_states import WILD_TYPE
from data_specs.mutant_state import StateEncoder
from data_specs.parameters import no_such
from data_specs.ragged import ragged_entries
from data_specs.store import PHENOTYPE, STATE_COLUMNS, Block, StoreReader


@dataclass(frozen=True, slots=True)
class MutantState:
    """One genotype: read-only NumPy views on the mapped store (writing to one raises).

    Attributes:
        index: the sample's number in the store.
        genes: indices of the deleted genes, unsigned.
        states: float32 of each of them, 0 of a gene that is gone.
        rows: the stored state columns by name: `term`, `gene`, `stratum`, `state`.
        phenotypes: value by name, NaN where not measured.
    """

    index: int
    genes: npt.NDArray[Any]
    states: npt.NDArray[np.float32]
    rows: dict[str, npt.NDArray[Any]]
    phenotypes: dict[str, float]
    graph: CellGraph

    @property
    def delta(self) -> npt.NDArray[Any]:
        """`[n, 4]` copy of changed rows (term, gene, stratum, state); int64, if graded float64."""
        kind = np.float64 if self.rows["state"].dtype.kind == "f" else np.int64
        table = np.stack([self.rows[name].astype(kind) for name in STATE_COLUMNS], axis=1)
        changed: npt.NDArray[Any] = table[table[:, 3] != WILD_TYPE]
        return changed

    @property
    def mutant_state(self) -> npt.NDArray[Any]:
        """`[M, 4]` copy, of the type of `delta`: the dense state, in the cell graph's order."""
        delta = self.delta
        state = self.graph.wild_type.astype(delta.dtype)
        state[self.graph.rows_of(*delta[:, :2].T.astype(np.int64)), 3] = delta[:, 3]
        return state


@dataclass(slots=True)
class MutantStateBatch:
    """Many genotypes in owned tensors; ragged parts are flat, with the sample of each entry.

    Attributes:
        index: `[B]` int64 sample numbers in the store.
        sample: `[N]` int64, which of the B samples a changed row belongs to.
        term, gene: `[N]` int64, the changed row's term and deleted gene.
        deleted_sample, deleted_gene: `[D]` int64, the deleted genes themselves, those without
            annotation included (indices from G on).
        phenotypes: `[B, P]` float32, columns as `names`.
        names: the P phenotypes.
        plan: what the model that is trained made of the batch ahead of its pass, on the CPU.
        state, deleted_state: `[N]` and `[D]` float32, the states of changed rows and of the deleted
            genes; None where all are 0.
    """

    index: Tensor
    sample: Tensor
    term: Tensor
    gene: Tensor
    deleted_sample: Tensor
    deleted_gene: Tensor
    phenotypes: Tensor
    names: tuple[str, ...]
    plan: list[Tensor] | None = None
    state: Tensor | None = None
    deleted_state: Tensor | None = None

    def __len__(self) -> int:
        return len(self.index)

    def states(self) -> tuple[Tensor, Tensor]:
        """`[N]` and `[D]` float32, the states of changed rows and of the deleted genes."""
        if self.state is not None and self.deleted_state is not None:
            return self.state, self.deleted_state
        zeros = self.phenotypes.new_zeros
        return zeros(len(self.gene)), zeros(len(self.deleted_gene))

    def _map(self, function: Any) -> "MutantStateBatch":
        values = (getattr(self, field.name) for field in fields(self))
        return MutantStateBatch(*(function(v) if isinstance(v, Tensor) else v for v in values))

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "MutantStateBatch":
        """The batch on another device."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "MutantStateBatch":
        """The batch in page-locked memory; `DataLoader(pin_memory=True)` calls it."""
        return self._map(lambda tensor: tensor.pin_memory())


def encode_genotypes(
    graph: CellGraph,
    genotypes: Sequence[Sequence[int]],
    phenotypes: npt.NDArray[np.float32] | None = None,
    states: Sequence[Sequence[float]] | None = None,
) -> MutantStateBatch:
    """Encode genotypes that are in no store, for prediction: gene indices, none for the wild type.

    Args:
        graph: the cell graph.
        genotypes: B lists of indices of deleted genes.
        phenotypes: `[B, P]` float32, if there are any.
        states: of these genes, if any is not 0.
    """
    offsets = np.cumsum([0, *(len(genes) for genes in genotypes)])
    deleted = np.array([gene for genes in genotypes for gene in genes], dtype=np.int64)
    encoder = StateEncoder(graph, max([graph.num_genes, *(deleted + 1)]))
    flat = None if states is None else np.array([s for own in states for s in own], np.float32)
    return encode(encoder, offsets, deleted, phenotypes, flat)


def encode(
    encoder: StateEncoder,
    offsets: npt.NDArray[np.int64],
    deleted: npt.NDArray[np.int64],
    phenotypes: npt.NDArray[np.float32] | None = None,
    states: npt.NDArray[np.float32] | None = None,
) -> MutantStateBatch:
    """As `encode_genotypes`, of genotypes in compressed form, with an encoder that is kept.

    Args:
        encoder: of the cell graph.
        offsets: `[B + 1]` int64, where each genotype's genes begin in `deleted`.
        deleted: int64 indices of the deleted genes, each once in a genotype.
        phenotypes: `[B, P]` float32, if there are any.
        states: float32 of every deleted gene, if any is not 0.
    """
    count = len(offsets) - 1
    sample, row, deletion = encoder.delta(offsets, deleted)
    term, gene = encoder.graph.annotations[row].T
    owner, _ = ragged_entries(offsets[:-1], offsets[1:])
    if phenotypes is None:
        phenotypes = np.empty((count, 0), dtype=np.float32)
    columns = (sample, term, gene, owner, deleted.copy())
    names = tuple(f"phenotype_{number}" for number in range(phenotypes.shape[1]))
    graded = None if states is None else (states[deletion], states.copy())
    return _to_batch(np.arange(count), columns, phenotypes, names, graded)


def _to_batch(
    index: npt.NDArray[np.int64],
    ragged: Iterable[npt.NDArray[Any]],
    phenotypes: npt.NDArray[np.float32],
    names: tuple[str, ...],
    graded: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None = None,
) -> MutantStateBatch:
    """Hand arrays of its own over to torch; ragged columns as int64, graded states as float32."""
    columns = [torch.from_numpy(np.ascontiguousarray(own, dtype=np.int64)) for own in ragged]
    sample, term, gene, deleted_sample, deleted_gene = columns
    return MutantStateBatch(
        index=torch.from_numpy(index),
        sample=sample,
        term=term,
        gene=gene,
        deleted_sample=deleted_sample,
        deleted_gene=deleted_gene,
        phenotypes=torch.from_numpy(phenotypes),
        names=names,
        state=None if graded is None else torch.from_numpy(graded[0]),
        deleted_state=None if graded is None else torch.from_numpy(graded[1]),
    )


def sizes_of(states: Tensor) -> Tensor:
    """float64: by how much each of these states is less than the wild type's."""
    return WILD_TYPE - states.double()


def open_together(store: Path, cell_graph: CellGraph | Path | str) -> tuple[CellGraph, StoreReader]:
    """Open a store and its cell graph; while a build replaces both, the old ones or the new ones.

    Raises:
        ArtefactError: one of them is damaged, or they belong to different builds.
    """
    for attempt in range(_ATTEMPTS):
        before = _which(store.parent)
        try:
            if isinstance(cell_graph, CellGraph):
                graph = cell_graph
            else:
                graph = CellGraph.read(Path(cell_graph))
            reader = StoreReader(store)
            graph.require(reader.meta.fingerprint, f"the store {store}")
            break
        except ArtefactError:
            # In a build that stayed where it was, something is damaged or mixed.
            if (before and before == _which(store.parent)) or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.01)
    return graph, reader


_ATTEMPTS = 20


def _which(folder: Path) -> tuple[int, int] | None:
    """Tells a folder from one that takes its place."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns  # a copy may have the number and the mtime of one before


class MutantStateDataset(Dataset[MutantState]):
    """The genotypes of a store as a map-style dataset.

    `dataset[i]` is a `MutantState` of views; a `DataLoader` gets `MutantStateBatch`es, gathered
    in vectorised form. Workers may fork or spawn: each opens the store when it first reads.

    Args:
        store: folder of the store.
        cell_graph: the cell graph or its folder; by default the one beside the store.
        phenotypes: names of the phenotypes of a batch, in order; by default all of the store's.

    Raises:
        ArtefactError: the store is damaged, or is not this cell graph's.
        InputError: the store has no such phenotype.
    """

    def __init__(
        self,
        store: Path | str,
        cell_graph: CellGraph | Path | str | None = None,
        phenotypes: Sequence[str] | None = None,
    ) -> None:
        store = Path(store)
        if cell_graph is None:
            cell_graph = store.parent / "cell_graph"
        self.graph, self.reader = open_together(store, cell_graph)
        self.meta = self.reader.meta
        self.phenotypes = tuple(self.meta.phenotypes if phenotypes is None else phenotypes)
        for name in self.phenotypes:
            if name not in self.meta.phenotypes:
                raise InputError(f"{store}: {no_such('phenotype', name, self.meta.phenotypes)}")

    @property
    def gene_ids(self) -> list[str]:
        """Names of all gene indices: the cell graph's genes, then the unannotated ones."""
        return [*self.graph.gene_ids, *self.meta.other_genes]

    def __len__(self) -> int:
        return self.meta.samples

    def __getitem__(self, index: int) -> MutantState:
        (position,) = self._positions([index])
        block = self._block_of(position)
        offset = position - block.first
        rows = slice(*block.state_offsets[offset : offset + 2])
        own = slice(*block.gene_offsets[offset : offset + 2])
        none = np.zeros(own.stop - own.start, dtype=np.float32)
        return MutantState(
            index=int(position),
            genes=block.genes[own],
            states=none if block.states is None else block.states[own],
            rows={name: column[rows] for name, column in block.state.items()},
            phenotypes={name: float(values[offset]) for name, values in block.phenotypes.items()},
            graph=self.graph,
        )

    def __getitems__(self, indices: Sequence[int]) -> list[MutantStateBatch]:
        """Called by a DataLoader for a batch: one gathered batch, which `collate` unwraps."""
        return [self.batch(indices)]

    def batch(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> MutantStateBatch:
        """Gather the samples of any indices, repeats allowed, with one pass a touched shard."""
        positions = self._positions(indices)
        reader = self.reader
        blocks = np.searchsorted(reader.firsts, positions, side="right") - 1
        sample, take = positions - reader.firsts[blocks], reader.columns(blocks).take

        def entries_of(offsets: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
            """For each entry of the samples: the place of its sample, and its own in the block."""
            starts = take(offsets, sample, blocks).astype(np.int64)
            return ragged_entries(starts, take(offsets, sample + 1, blocks).astype(np.int64))

        owner, row = entries_of("state_offsets")
        if self.meta.layout == "dense":
            changed = take("state", row, blocks[owner]) != WILD_TYPE
            owner, row = owner[changed], row[changed]
        gene_owner, entry = entries_of("gene_offsets")
        phenotypes = np.empty((len(positions), len(self.phenotypes)), dtype=np.float32)
        for to, name in enumerate(self.phenotypes):
            phenotypes[:, to] = take(PHENOTYPE + name, sample, blocks)
        columns = (
            owner, take("term", row, blocks[owner]), take("gene", row, blocks[owner]), gene_owner,
            take("genes", entry, blocks[gene_owner]),
        )  # fmt: skip
        graded = None
        if self.meta.graded:
            graded = take("state", row, blocks[owner]), take("states", entry, blocks[gene_owner])
        return _to_batch(positions, columns, phenotypes, self.phenotypes, graded)

    def deleted_genes(
        self, indices: Sequence[int] | npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """`[G]` whether any of these samples has a gene of the cell graph deleted."""
        chosen = np.zeros(len(self), dtype=np.bool_)
        chosen[np.asarray(indices)] = True
        found = np.zeros(len(self.gene_ids), dtype=np.bool_)
        for block_index, entry in enumerate(self.meta.blocks):
            block = self.reader.block(block_index)
            chosen_in_block = chosen[entry.first : entry.first + entry.samples]
            found[block.genes[np.repeat(chosen_in_block, np.diff(block.gene_offsets))]] = True
        return found[: self.graph.num_genes]

    def _positions(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        positions = np.array(indices, dtype=np.int64)
        positions[positions < 0] += len(self)
        if len(positions) and (positions.min() < 0 or positions.max() >= len(self)):
            raise IndexError(f"sample out of range: the store holds {len(self)} samples")
        return positions

    def _block_of(self, position: int) -> Block:
        block_index = int(np.searchsorted(self.reader.firsts, position, side="right")) - 1
        return self.reader.block(block_index)


def collate(batch: Sequence[MutantStateBatch], **_: Any) -> MutantStateBatch:
    """Unwrap the batch that `MutantStateDataset.__getitems__` gathered."""
    (only,) = batch
    return only


# The documented way to teach `default_collate` a type: a stock DataLoader then works as it is.
default_collate_fn_map[MutantStateBatch] = collate
