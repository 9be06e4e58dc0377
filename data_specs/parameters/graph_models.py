"""The parameters of the models on gene networks: sections of `data_specs.parameters.sections`."""

from dataclasses import dataclass
from typing import Literal

from data_specs.parameters.ranges import Depth, Rate, Texts, Weight, Whole, Width


@dataclass(frozen=True, slots=True, kw_only=True)
class Dango:
    """The DANGO-style model (Zhang et al. 2020) on gene networks: `train.model: dango`."""

    networks: Texts = ()  # by name, or its end (coexpression); empty: all of the build's
    encoder: Literal["sage", "gin"] = "sage"
    norm: Literal["layer", "none"] = "layer"  # after a convolution; none: swish, as published
    aggregation: Literal["cross_attention", "pairwise", "meta_embedding"] = "cross_attention"
    width: Width = 64
    depth: Depth = 2  # convolutions, so how far a gene sees
    heads: Width = 4
    head: Literal["plain", "rezero"] = "plain"  # HyperSAGNN of one layer, or of several with ReZero
    head_layers: Depth = 2  # of attention, in head: rezero
    pretrain_steps: Whole = 200
    pretrain_lr: Rate = 1e-2
    reconstruction: Literal["relative", "mean"] = "relative"  # to an empty guess, or over all pairs
    zero_weight: Weight = 1.0  # of an absent edge in the reconstruction; a present one has weight 1
    incomplete: Texts = ()  # networks whose absent edges may be unknown ones
    incomplete_zero_weight: Weight = 0.1  # of an absent edge in those
    loss: Literal["squared", "log_cosh"] = "squared"
    weight_decay: Weight = 1.0  # in place of train.weight_decay: it has a number for every gene


@dataclass(frozen=True, slots=True, kw_only=True)
class Multigraph:
    """Interaction over several gene networks, without pre-training: `train.model: multigraph`."""

    networks: Texts = ()  # by name, or its end (coexpression); empty: all of the build's
    convolution: Literal["gin", "gatv2", "sage"] = "sage"  # one a network and layer
    aggregation: Literal["sum", "mean", "attention", "pairwise"] = "mean"  # over networks
    width: Width = 64
    preprocess_layers: Depth = 2  # of the network that takes in the genes' embeddings
    depth: Depth = 2  # layers of convolutions, so how far a gene sees
    heads: Width = 4  # of every attention
    head_layers: Depth = 2  # of attention over the set of deleted genes
    global_branch: bool = True  # also compare the cell with and without the deleted genes
    cache_embeddings: bool = True  # reuse the genes' encodings from batch to batch of an evaluation
    weight_decay: Weight = 1.0  # in place of train.weight_decay: it has a number for every gene
