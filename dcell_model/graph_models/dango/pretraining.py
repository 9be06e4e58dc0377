"""Pre-training: from a gene's embedding in a network, reconstruct its row of the network.

A linear decoder turns the embedding z(i) of gene i into weights â(i, j) = s (z(i) · u(j) + c(j)) to
all genes j; s is the root mean square of the network, so that a sparse network, whose weights are 0
on the whole, is learnt as fast as a dense one. The loss of a network with weights a is DANGO's, in
units in which 1 is an empty guess:

    ( Σ over edges of (â − a)²  +  λ · Σ over pairs without an edge of â² )  /  Σ over edges of a²

λ is `dango.zero_weight`; for the networks of `dango.incomplete`, in which an absent edge may just
be an unknown one, it is `dango.incomplete_zero_weight`. `dango.reconstruction: mean` divides the
sums by the number of pairs, G², in place of Σ a², as the paper does: a network with few edges then
weighs less beside the others.

The second sum has G² terms, but is `λ (Σ over all pairs of â² − Σ over edges of â²)`, and the sum
over all pairs of â² is the sum over the product of two D × D matrices, `ZᵀZ` and `UᵀU`: no row is
ever written out.
"""

import time
from typing import Any

import torch
from torch import Tensor, nn

from dcell_model.graph_models.dango.model import Dango
from dcell_model.machine import progress


class Decoder(nn.Module):
    """`u` and `c` of one network; of no use once the encoder is trained.

    Args:
        genes: G.
        width: D.
        scale: s.
    """

    def __init__(self, genes: int, width: int, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.weight = nn.Parameter(torch.randn(genes, width) * width**-0.5 * 0.1)
        self.bias = nn.Parameter(torch.zeros(genes))

    def forward(self, z_GD: Tensor) -> Tensor:
        """All weights `[G, G]`; for tests, and small networks."""
        return self.scale * (z_GD @ self.weight.T + self.bias)


def reconstruction_loss(
    z_GD: Tensor, decoder: Decoder, edges: Tensor, weights: Tensor, zero_weight: float
) -> Tensor:
    """How far the decoded weights are from the network's, relative to an empty guess.

    Args:
        z_GD: embeddings.
        decoder: of this network.
        edges: `[2, 2E]` every edge in both directions.
        weights: `[2E]` theirs.
        zero_weight: λ.
    """
    one = torch.ones_like(z_GD[:, :1])
    left = torch.cat([z_GD, one], dim=1)
    right = torch.cat([decoder.weight, decoder.bias.unsqueeze(1)], dim=1) * decoder.scale
    everywhere = ((left.T @ left) * (right.T @ right)).sum()
    at_edges = (left[edges[0]] * right[edges[1]]).sum(dim=1)
    present = (at_edges - weights).square().sum()
    absent = everywhere - at_edges.square().sum()
    return (present + zero_weight * absent) / weights.square().sum().clamp(min=1e-12)


def pretrain(model: Dango) -> dict[str, Any]:
    """Train the features and the encoders to give back the networks.

    Returns:
        `steps`, `seconds`, and for every network the loss before and after, in which an empty guess
        is 1, and its λ.
    """
    config, networks = model.config, model.networks
    began = time.perf_counter()
    device = model.features.weight.device
    genes = networks.num_genes
    weights = [torch.from_numpy(networks.weights[n]).to(device).repeat(2) for n in networks.names]
    decoders = [
        Decoder(genes, config.width, float(weight.square().sum()) ** 0.5 / genes).to(device)
        for weight in weights
    ]
    trained = nn.ModuleList([model.features, model.encoders, *decoders])
    unit = torch.ones(len(weights), device=device)  # of the loss of each network
    if config.reconstruction == "mean":
        unit = torch.stack([weight.square().sum() for weight in weights]) / genes**2
    optimizer = torch.optim.Adam(trained.parameters(), lr=config.pretrain_lr)

    def losses() -> Tensor:
        parts = zip(model.encode(), decoders, model.edges, weights, model.zero_weights, strict=True)
        return torch.stack([
            reconstruction_loss(z, decoder, edges, weight, zero_weight)
            for z, decoder, edges, weight, zero_weight in parts
        ])  # fmt: skip

    with torch.no_grad():
        before = losses().tolist()
    one_of_several = torch.distributed.is_initialized() and torch.distributed.get_rank() > 0
    with progress(
        "pre-training", config.pretrain_steps, visible=not one_of_several, lines=False
    ) as shown:
        for _ in range(config.pretrain_steps):
            optimizer.zero_grad()
            (losses() * unit).sum().backward()
            optimizer.step()
            shown.advance()
    with torch.no_grad():
        after = losses().tolist()
    for parameter in model.parameters():
        parameter.grad = None
    pairs = zip(networks.names, before, after, model.zero_weights, strict=True)
    return {
        "steps": config.pretrain_steps,
        "seconds": round(time.perf_counter() - began, 2),
        "networks": {
            name: {"before": b, "after": a, "zero_weight": zero_weight}
            for name, b, a, zero_weight in pairs
        },
    }
