"""DCell: a neural network wired like the ontology (Ma et al. 2018, doi:10.1038/nmeth.4627).

For term t with children c and direct genes g, in index order,

    I = [O(c₁) ‖ … ‖ O(c_k) ‖ x(g₁) … x(g_m)]
    O(t) = BatchNorm(tanh(W(t) I + b(t)))
    ŷ(t) = V(t) O(t) + v(t)

The parameters of all subsystems lie in a few flat tensors (`dcell_model.dcell.layout`); engines
only differ in the order in which they work through them.
"""

import warnings
from collections.abc import Callable
from typing import Self, overload

from torch import Tensor

from data_specs.cell_graph import CellGraph
from data_specs.errors import InputError, ParameterError
from data_specs.parameters import Model as ModelConfig
from dcell_model.data import MutantStateBatch
from dcell_model.dcell.engines import incremental, reference
from dcell_model.dcell.heads import ColumnHeads, Heads
from dcell_model.dcell.parameters import DCellParameters

ENGINES: dict[str, Callable[[DCellParameters, MutantStateBatch], Heads]] = {
    "reference": reference.forward,
    "incremental": incremental.forward,
}


class DCell(DCellParameters):
    """The visible neural network of one hierarchy: its parameters, and an engine that runs them.

    Shapes: T terms, B samples, P phenotypes.

    Args:
        graph: the hierarchy.
        config: widths, norm, activation and the other variants.
        phenotypes: P, the width of every head.
        engine: how to run it: `incremental` (only what the deletions touch) or `reference` (the
            equations, term by term); may be changed at any time.
    """

    def __init__(
        self,
        graph: CellGraph,
        config: ModelConfig | None = None,
        *,
        phenotypes: int = 1,
        engine: str = "incremental",
    ) -> None:
        super().__init__(graph, config or ModelConfig(), phenotypes=phenotypes)
        self.engine = engine

    @property
    def engine(self) -> str:
        """The engine that runs the network."""
        return self._engine

    @engine.setter
    def engine(self, name: str) -> None:
        if name in ("auto", "stratum"):
            message = f"the engine '{name}' is gone; 'incremental' takes its place"
            warnings.warn(message, DeprecationWarning, stacklevel=3)
            name = "incremental"
        if name not in ENGINES:
            raise ParameterError(f"engine '{name}' is unknown; there are {', '.join(ENGINES)}")
        self._engine = name

    def train(self, mode: bool = True) -> Self:
        """As of every module; the wild type is computed anew after it."""
        self.wild_type_cache.clear()
        return super().train(mode)

    @overload
    def forward(self, batch: MutantStateBatch) -> Tensor: ...

    @overload
    def forward(self, batch: MutantStateBatch, *, dense: bool) -> Heads: ...

    def forward(self, batch: MutantStateBatch, *, dense: bool = True) -> Heads:
        """Predictions of the heads of all terms.

        Args:
            batch: B genotypes, on the model's device.
            dense: false leaves the heads in the form in which the engine has them, which for
                `incremental` is much smaller; `dcell_loss` and `root_of` take both forms.

        Returns:
            `[T, B, P]`; `[0]` is the root's, the prediction of the model.

        Raises:
            InputError: one sample in training with batch norm, whose variance is not defined.
        """
        measured = self.training and self.config.norm == "batch" and not self.sync_batchnorm
        if measured and len(batch) == 1:
            raise InputError(
                "a training batch of one sample has no variance to normalise with; use at least "
                "two, or drop the last batch of an epoch"
            )
        heads = ENGINES[self._engine](self, batch)
        return heads.dense() if dense and isinstance(heads, ColumnHeads) else heads
