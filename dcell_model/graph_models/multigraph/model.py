"""Interaction over several gene networks: genes encoded once, then a set of them scored.

A learnable embedding a gene goes through an MLP, then through layers of which each has a
convolution a network and an aggregation over networks (`encoder`). The deleted genes of a sample
are scored as a set by a HyperSAGNN head with ReZero; a second score, of the whole cell with and
without them, joins it by a gate (`global_branch`). Nothing is pre-trained.

After the interaction models of torchcell (github.com/Mjvolk3/torchcell, which credits DANGO for the
head). There each sample has a copy of the whole graph, from which its deleted genes are removed
before the genes are encoded. Here the networks of the wild type are encoded, once a step, whatever
the number of samples; `dcell_model.bench.graph_copies` measures what copies cost. Besides, a layer
is added to what it is given (`encoder`), and nothing is dropped out, so that a resumed run goes on
exactly.
"""

import torch
from torch import Tensor, nn

from data_specs.cell_graph import CellGraph
from data_specs.gene_networks import GeneNetworks
from data_specs.parameters import Multigraph as MultigraphConfig
from dcell_model.data import MutantStateBatch
from dcell_model.graph_models.gene_sets import pad
from dcell_model.graph_models.hyper_sagnn import ReZeroHyperSAGNN
from dcell_model.graph_models.multigraph.encoder import GeneEncoder
from dcell_model.graph_models.multigraph.global_branch import CellDifference, Gate
from dcell_model.graph_models.on_networks import OnNetworks


class Multigraph(OnNetworks):
    """The model on the networks of one build.

    Shapes: G genes of the store (those without annotation too), D width, B samples, K deleted genes
    of the largest sample, P phenotypes.

    Args:
        graph: the cell graph of the store; only its fingerprint is used, to know the store by.
        networks: on the genes of the store.
        config: convolution, aggregation and sizes.
        phenotypes: P.
    """

    def __init__(
        self,
        graph: CellGraph,
        networks: GeneNetworks,
        config: MultigraphConfig | None = None,
        *,
        phenotypes: int = 1,
    ) -> None:
        super().__init__(graph, networks)
        self.config = config = config or MultigraphConfig()
        self.features = nn.Embedding(networks.num_genes, config.width)
        self.encoder = GeneEncoder(config, len(networks.names))
        self.head = ReZeroHyperSAGNN(config.width, config.heads, config.head_layers, phenotypes)
        if config.global_branch:
            self.cell = CellDifference(config.width, phenotypes)
            self.gate = Gate(config.width)
        self._encoded: tuple[object, Tensor] | None = None  # and what it was made with

    @property
    def engine(self) -> str:
        """How it is run: there is one way for each convolution."""
        return self.config.convolution

    def train(self, mode: bool = True) -> "Multigraph":
        """As of a module; what was encoded before is forgotten."""
        self._encoded = None
        return super().train(mode)

    def encode(self) -> Tensor:
        """`[G, D]` embeddings of all genes: one pass over the whole graphs."""
        embedded: Tensor = self.encoder(self.features.weight, self.edges)
        return embedded

    def embeddings(self) -> Tensor:
        """`[G, D]`: `encode`, or in an evaluation without gradients what it gave before.

        `multigraph.cache_embeddings` has it kept. It is encoded again after any training, and
        where a parameter was changed or replaced.
        """
        if not self.config.cache_embeddings or self.training or torch.is_grad_enabled():
            return self.encode()
        made_with = self._state()
        if self._encoded is None or self._encoded[0] != made_with:
            self._encoded = made_with, self.encode()
        return self._encoded[1]

    def _state(self) -> object:
        """Differs whenever `encode` may.

        Torch counts the changes of a tensor in place, but not those by its fused optimisers, which
        the sums tell.
        """
        device = self.features.weight.device.type
        cast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        weights = [self.features.weight, *self.encoder.parameters()]
        sums = torch.stack([weight.sum(dtype=torch.float64) for weight in weights]).tolist()
        counts = [(part.data_ptr(), part.dtype, part._version) for part in (*weights, *self.edges)]
        return cast, sums, counts

    def forward(self, batch: MutantStateBatch, *, dense: bool = True) -> Tensor:  # noqa: ARG002
        """Predictions of B samples; the networks are encoded once, whatever B is.

        Args:
            batch: on the model's device.
            dense: of no account; DCell's argument, so that both are called alike.

        Returns:
            `[1, B, P]`: one head, in the form of DCell's, of which the first is the prediction.
        """
        index_BK, present_BK = pad(batch.deleted_sample, batch.deleted_gene, len(batch))
        x_GD = self.embeddings()
        score_BP: Tensor = self.head(x_GD[index_BK], present_BK)
        if self.config.global_branch:
            score_BP = self.gate(score_BP, self.cell(x_GD, index_BK, present_BK))
        return score_BP.unsqueeze(0)
