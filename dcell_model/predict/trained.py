"""A trained model as a checkpoint alone gives it: what `dcell predict` and `dcell screen` ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data_specs.cell_graph import CellGraph
from data_specs.errors import ArtefactError, InputError
from data_specs.gene_names import GeneNames
from data_specs.mutant_state import StateEncoder
from dcell_model import checkpoint
from dcell_model.checkpoint import Calibration, Predictions
from dcell_model.data import MutantStateBatch, encode
from dcell_model.dcell import DCell, root_of

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trained:
    """A model that predicts, with the names of its genes and the units of its phenotypes.

    Attributes:
        members: in evaluation mode, run by the engine `incremental`; most checkpoints have one, an
            ensemble has K, and predicts their mean.
        names: all names of genes that the checkpoint knows.
        encoder: finds what deletions change.
        phenotypes: names of the P phenotypes.
        mean, std: `[P]` float64, what heads are scaled back with.
        calibration: of the root's predictions; those of other terms' heads have none.
        seen_genes: `[G]` whether training saw a gene deleted; all true where nobody knows.
        digest: hex SHA-256 of the checkpoint's content.
    """

    members: tuple[DCell, ...]
    names: GeneNames
    encoder: StateEncoder
    phenotypes: tuple[str, ...]
    mean: Tensor
    std: Tensor
    calibration: Calibration
    seen_genes: npt.NDArray[np.bool_]
    digest: str

    @classmethod
    def read(cls, path: Path, device: str = "cpu") -> "Trained":
        """Read a checkpoint.

        Raises:
            ArtefactError: it is damaged or of another version.
            InputError: no CUDA device is visible.
        """
        if device == "cuda" and not torch.cuda.is_available():
            raise InputError("--device cuda: no CUDA device is visible; use cpu")
        state, digest = checkpoint.load_with_digest(path)
        members = checkpoint.restore(state, None, path)
        scale = state["target_mean"], state["target_std"]
        return cls.of(
            [own.to(device) for own in members], state["phenotypes"], scale,
            digest, Calibration.of(state),
            state["seen_genes"].numpy().astype(np.bool_), path,
        )  # fmt: skip

    @classmethod
    def of(
        cls,
        members: Sequence[DCell],
        phenotypes: list[str],
        scale: tuple[Tensor, Tensor],
        digest: str = "",
        calibration: Calibration | None = None,
        seen_genes: npt.NDArray[np.bool_] | None = None,
        where: Path | None = None,
    ) -> "Trained":
        """Models at hand; put into evaluation mode and run by `incremental` from now on.

        Raises:
            ArtefactError: `seen_genes` of another number of genes.
        """
        for model in members:
            model.eval()
            model.engine = "incremental"  # the wild type is computed once, whatever the batch
        mean, std = (value.double().cpu() for value in scale)
        graph = members[0].graph
        encoder = StateEncoder(graph, graph.num_genes)
        calibration = calibration or Calibration.none(len(phenotypes))
        if seen_genes is None or not len(seen_genes):
            seen_genes = np.ones(graph.num_genes, dtype=np.bool_)
        if len(seen_genes) != graph.num_genes:
            raise ArtefactError(
                f"{where}: 'seen_genes' has {len(seen_genes)} genes; its cell graph has "
                f"{graph.num_genes}. Train again, or take another file."
            )
        return cls(
            tuple(members), GeneNames.of(graph), encoder, tuple(phenotypes), mean, std, calibration,
            seen_genes, digest,
        )  # fmt: skip

    @property
    def graph(self) -> CellGraph:
        """The hierarchy and genes, the same for all members."""
        return self.members[0].graph

    @property
    def device(self) -> torch.device:
        """Where the members are."""
        return self.members[0].bias.device

    def encode(self, offsets: IntArray, genes: IntArray) -> MutantStateBatch:
        """Genotypes as a batch on the model's device.

        Args:
            offsets: `[B + 1]` where each genotype's genes begin.
            genes: indices of the deleted genes of the cell graph.
        """
        return encode(self.encoder, offsets, genes).to(self.device)

    def encode_table(self, deleted: IntArray) -> MutantStateBatch:
        """Genotypes of one order as such a batch.

        Args:
            deleted: `[B, k]` int64, indices of k deleted genes each.
        """
        return self.encode(np.arange(len(deleted) + 1) * deleted.shape[1], deleted.reshape(-1))

    def in_units(self, values: Tensor) -> Tensor:
        """Heads `[…, P]` in the phenotypes' own units, float64 on the CPU."""
        return values.double().cpu() * self.std + self.mean

    def predictions(self, roots: Tensor) -> Predictions:
        """What the members' roots `[K, …, P]`, in units of training, predict together."""
        return self.calibration.combine(self.in_units(roots))

    @torch.no_grad()
    def roots(self, deleted: IntArray, *, batch_size: int = 4096) -> Tensor:
        """Each member's own predictions of genotypes of one order.

        Args:
            deleted: `[B, k]` int64, indices of k deleted genes each.
            batch_size: genotypes at a time.

        Returns:
            `[K, B, P]` in units of training.
        """
        parts = [torch.empty(len(self.members), 0, len(self.phenotypes))]
        for first in range(0, len(deleted), batch_size):
            batch = self.encode_table(deleted[first : first + batch_size])
            heads = [root_of(own(batch, dense=False)) for own in self.members]
            parts.append(torch.stack(heads).cpu())
        return torch.cat(parts, dim=1)

    def predict(self, deleted: IntArray, *, batch_size: int = 4096) -> FloatArray:
        """Predictions of genotypes of one order, in the phenotypes' own units, `[B, P]` float64.

        Args:
            deleted: `[B, k]` int64, indices of k deleted genes each.
            batch_size: genotypes at a time.
        """
        roots = self.roots(deleted, batch_size=batch_size)
        values: FloatArray = self.predictions(roots).values.numpy()
        return values
