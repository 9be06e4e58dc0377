"""A trained model, with the names of its genes and the units of its phenotypes."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data_specs.cell_graph import CellGraph
from data_specs.errors import ArtefactError
from data_specs.gene_names import GeneNames
from data_specs.mutant_state import StateEncoder
from dcell_model.checkpoint import Calibration, Checkpoint, Predictions
from dcell_model.data import MutantStateBatch, encode
from dcell_model.dcell import DCell, root_of
from dcell_model.models import Network, kind_of, record_of

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A model that predicts, with the names of its genes and the units of its phenotypes.

    `open_run` gives one; of another number of `seen_genes` than its cell graph has there is none
    (`ArtefactError`).

    Attributes:
        members: its networks, in evaluation mode; most checkpoints have one, an ensemble has K, and
            predicts their mean.
        kind: name of the model, such as dcell.
        phenotypes: names of the P phenotypes.
        mean, std: `[P]` float64, what heads are scaled back with.
        calibration: of the root's predictions; those of other terms' heads have none.
        seen_genes: `[G]` whether training saw a gene deleted; all true where nobody knows.
        made_from: digests of the data that it was trained on, by name (`data_specs.chain`).
        digest: hex SHA-256 of the checkpoint's content, as the file states it.
        path: of the checkpoint; None for models at hand.
    """

    members: tuple[Network, ...]
    kind: str
    phenotypes: tuple[str, ...]
    mean: Tensor
    std: Tensor
    calibration: Calibration
    seen_genes: npt.NDArray[np.bool_]
    made_from: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    path: Path | None = None

    def __post_init__(self) -> None:
        if len(self.seen_genes) != self.graph.num_genes:
            raise ArtefactError(
                f"{self.path}: 'seen_genes' has {len(self.seen_genes)} genes; its cell graph has "
                f"{self.graph.num_genes}. Train again, or take another file."
            )

    @classmethod
    def of(
        cls,
        members: Sequence[DCell],
        phenotypes: Sequence[str],
        scale: tuple[Tensor, Tensor],
        calibration: Calibration | None = None,
        seen_genes: npt.NDArray[np.bool_] | None = None,
    ) -> "Trained":
        """Models in memory, put into evaluation mode and run by `incremental` from now on."""
        genes = members[0].graph.num_genes
        for model in members:
            model.eval()
            record_of("dcell").ready_for_genotypes(model)
        return cls(
            members=tuple(members),
            kind="dcell",
            phenotypes=tuple(phenotypes),
            mean=scale[0].double().cpu(),
            std=scale[1].double().cpu(),
            calibration=calibration or Calibration.none(len(phenotypes)),
            seen_genes=np.ones(genes, dtype=np.bool_) if seen_genes is None else seen_genes,
        )

    @property
    def graph(self) -> CellGraph:
        """The hierarchy and genes, the same for all members."""
        return self.members[0].graph

    @functools.cached_property
    def names(self) -> GeneNames:
        """All names of genes that it knows."""
        return GeneNames.of(self.graph)

    @functools.cached_property
    def encoder(self) -> StateEncoder:
        """Finds what deletions change."""
        return StateEncoder(self.graph, self.graph.num_genes)

    @property
    def device(self) -> torch.device:
        """Where the members are."""
        return next(self.members[0].parameters()).device

    @property
    def has_subsystems(self) -> bool:
        """Whether its terms have states, as a DCell's."""
        return record_of(self.kind).has_subsystems

    def with_subsystems(self) -> tuple[DCell, ...]:
        """The members, of a model whose terms have states.

        Raises:
            ArtefactError: it is another one.
        """
        if not self.has_subsystems:
            raise ArtefactError(
                f"{self.path}: the checkpoint of a {self.kind} model, which has no subsystems; "
                "expected a DCell"
            )
        return cast(tuple[DCell, ...], self.members)

    def encode(
        self, offsets: IntArray, genes: IntArray, states: npt.NDArray[np.float32] | None = None
    ) -> MutantStateBatch:
        """Genotypes as a batch on the model's device.

        Args:
            offsets: `[B + 1]` where each genotype's genes begin.
            genes: indices of the deleted genes of the cell graph.
            states: of these genes, if any is not 0.
        """
        return encode(self.encoder, offsets, genes, states=states).to(self.device)

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
        """The joint prediction of the members' roots `[K, …, P]`, in units of training."""
        return self.calibration.combine(self.in_units(roots))

    def scale_of(self, phenotype: int) -> tuple[float, float]:
        """The factor and the summand that turn a head's output into a calibrated prediction.

        Returns:
            `(mean, std)`: the prediction is `mean + std · head`, in the phenotype's units.
        """
        slope, intercept, mean, std = (
            float(values[phenotype])
            for values in (self.calibration.slope, self.calibration.intercept, self.mean, self.std)
        )
        return intercept + slope * mean, slope * std

    @torch.no_grad()
    def roots(self, deleted: IntArray, *, batch_size: int = 4096) -> Tensor:
        """Each member's own predictions of genotypes of one order.

        Args:
            deleted: `[B, k]` int64, indices of k deleted genes each.
            batch_size: genotypes at a time.

        Returns:
            `[K, B, P]` in units of training.
        """
        empty = torch.empty(len(self.members), 0, len(self.phenotypes))
        pieces = (deleted[n : n + batch_size] for n in range(0, len(deleted), batch_size))
        parts = (self.roots_of(self.encode_table(piece)) for piece in pieces)
        return torch.cat([empty, *parts], dim=1)

    @torch.no_grad()
    def roots_of(self, batch: MutantStateBatch) -> Tensor:
        """`[K, B, P]` each member's own predictions, in units of training, on the CPU."""
        return torch.stack([root_of(own(batch, dense=False)) for own in self.members]).cpu()

    def predict(self, deleted: IntArray, *, batch_size: int = 4096) -> FloatArray:
        """Predictions of genotypes of one order, in the phenotypes' own units, `[B, P]` float64.

        Args:
            deleted: `[B, k]` int64, indices of k deleted genes each.
            batch_size: genotypes at a time.
        """
        roots = self.roots(deleted, batch_size=batch_size)
        values: FloatArray = self.predictions(roots).values.numpy()
        return values


def fields_of(
    state: Checkpoint, digest: str, members: tuple[Network, ...], path: Path
) -> dict[str, Any]:
    """The attributes of what a checkpoint holds."""
    seen = state["seen_genes"].numpy().astype(np.bool_)
    return {
        "members": members,
        "kind": kind_of(state, path),
        "phenotypes": tuple(state["phenotypes"]),
        "mean": state["target_mean"].double(),
        "std": state["target_std"].double(),
        "calibration": Calibration.of(state),
        "seen_genes": seen if len(seen) else np.ones(members[0].graph.num_genes, dtype=np.bool_),
        "made_from": state["made_from"],
        "digest": digest,
        "path": path,
    }
