"""DANGO-style: gene networks, encoded whole, then a head that scores the set of deleted genes.

After Zhang, Ma and Ma, "DANGO: Predicting higher-order genetic interactions" (2020,
doi:10.1101/2020.11.26.400739). Every network has an encoder of its own over features that the genes
share; a gene's embeddings are brought together, and the perturbed genes of a sample are looked up.

The defaults are this project's own: the networks' embeddings are joined by cross-attention, the
head has one layer of attention, the loss is of squared errors. The preset `dango-2020` has the
published choices; docs/how-to/compare-models.md names what still differs.
"""

import torch
from torch import Tensor, nn

from data_specs.cell_graph import CellGraph
from data_specs.gene_networks import GeneNetworks, matching, require_networks
from data_specs.layout import DataLayout
from data_specs.parameters import Dango as DangoConfig
from dcell_model.data import MutantStateBatch
from dcell_model.graph_models.dango.aggregation import aggregation
from dcell_model.graph_models.dango.encoder import NetworkEncoder
from dcell_model.graph_models.gene_sets import pad
from dcell_model.graph_models.hyper_sagnn import HyperSAGNN, ReZeroHyperSAGNN
from dcell_model.graph_models.on_networks import OnNetworks


class Dango(OnNetworks):
    """The model on the networks of one build.

    Shapes: G genes of the store (those without annotation too), W networks, D width, B samples,
    P phenotypes.

    Args:
        graph: the cell graph of the store; only its fingerprint is used, to know the store by.
        networks: on the genes of the store.
        config: encoder, aggregation, head and sizes.
        phenotypes: P.

    Raises:
        InputError: `dango.incomplete` names a network that is not there.
    """

    def __init__(
        self,
        graph: CellGraph,
        networks: GeneNetworks,
        config: DangoConfig | None = None,
        *,
        phenotypes: int = 1,
    ) -> None:
        super().__init__(graph, networks)
        self.config = config = config or DangoConfig()
        self.features = nn.Embedding(networks.num_genes, config.width)
        self.encoders = nn.ModuleList(NetworkEncoder(config) for _ in networks.names)
        self.aggregate = aggregation(config, len(networks.names))
        self.head = (
            HyperSAGNN(config.width, config.heads, phenotypes)
            if config.head == "plain"
            else ReZeroHyperSAGNN(config.width, config.heads, config.head_layers, phenotypes)
        )
        unsure = matching(config.incomplete, networks.names, "dango.incomplete")
        self.zero_weights = [
            config.incomplete_zero_weight if name in unsure else config.zero_weight
            for name in networks.names
        ]

    @property
    def engine(self) -> str:
        """How it is run: there is one way for each encoder."""
        return self.config.encoder

    def encode(self) -> list[Tensor]:
        """`[G, D]` embeddings of all genes in every network: one pass over the whole graphs."""
        return [
            encoder(self.features.weight, edges)
            for encoder, edges in zip(self.encoders, self.edges, strict=True)
        ]

    def forward(self, batch: MutantStateBatch, *, dense: bool = True) -> Tensor:  # noqa: ARG002
        """Predictions of B samples.

        The networks are encoded once, whatever B is. What is done for a gene alone, bringing its
        embeddings together, is done for the genes of the batch.

        Args:
            batch: on the model's device.
            dense: of no account; DCell's argument, so that both are called alike.

        Returns:
            `[1, B, P]`: one head, in the form of DCell's, of which the first is the prediction.
        """
        genes, position = batch.deleted_gene.unique(return_inverse=True)
        networks = torch.stack([every[genes] for every in self.encode()], dim=1)  # [N, W, D]
        embedded = self.aggregate(self.features.weight[genes], networks)  # [N, D]
        index, present = pad(batch.deleted_sample, position, len(batch))
        if len(genes) == 0:  # nothing but wild types: there is nothing to look up
            embedded = self.features.weight[:1]
        scores: Tensor = self.head(embedded[index], present)
        return scores.unsqueeze(0)


def require_dango(layout: DataLayout, config: DangoConfig) -> None:
    """Refuse a build that lacks networks which the parameters name.

    Raises:
        ArtefactError: the manifest of the networks is damaged or of another version.
        InputError: the build has no networks, or none of a name.
    """
    found = require_networks(layout, config.networks)
    used = matching(config.networks, list(found), "dango.networks") or list(found)
    matching(config.incomplete, used, "dango.incomplete")
