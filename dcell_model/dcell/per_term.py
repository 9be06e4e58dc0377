"""The flat parameters term by term: for the reference engine, for export and for import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from data_specs.cell_graph import CellGraph
from data_specs.errors import ArtefactError
from data_specs.parameters import Model as ModelConfig
from dcell_model.dcell.layout import exact_widths
from dcell_model.dcell.parameters import DCellParameters
from dcell_model.dcell.tokens import tokens_of


@dataclass(frozen=True, slots=True)
class Subsystem:
    """Parameters of one term, views of the model's.

    Attributes:
        weight: `[out, K + m·max(1, E)]`, children's neurons first, then direct genes.
        bias: `[out]`.
        head_weight, head_bias: `[P, out]` and `[P]`.
        norm_weight, norm_bias, running_mean, running_var: `[out]`, where the norm has them.
        second_weight, second_bias: `[out, out]` and `[out]` with `layers: 2`.
        attention_in, attention_bias, attention_out: `[3A, X]`, `[K, 3A]` and `[X, A]` of the term's
            K distinct tokens with X numbers, where it has attention (`dcell.tokens`).
    """

    weight: Tensor
    bias: Tensor
    head_weight: Tensor
    head_bias: Tensor
    norm_weight: Tensor | None = None
    norm_bias: Tensor | None = None
    running_mean: Tensor | None = None
    running_var: Tensor | None = None
    second_weight: Tensor | None = None
    second_bias: Tensor | None = None
    attention_in: Tensor | None = None
    attention_bias: Tensor | None = None
    attention_out: Tensor | None = None


def split_by_term(model: DCellParameters) -> list[Subsystem]:
    """Subsystems in term order; gradients flow back into the flat parameters."""
    layout, config = model.layout, model.config
    order = layout.order.tolist()
    width, fan_in = layout.widths, layout.fan_in
    genes = layout.graph.genes_direct
    embedded = max(1, config.gene_embedding)

    def rows(parameter: Tensor) -> dict[int, Tensor]:
        return dict(zip(order, parameter.split(width[order].tolist()), strict=True))

    child = dict(
        zip(order, model.child_weight.split((width * fan_in)[order].tolist()), strict=True)
    )
    gene = dict(
        zip(order, model.gene_weight.split((width * genes * embedded)[order].tolist()), strict=True)
    )
    bias, head = rows(model.bias), rows(model.head_weight)
    optional: list[tuple[str, dict[int, Tensor]]] = []
    if config.norm != "none":
        optional += [("norm_weight", rows(model.norm_weight)), ("norm_bias", rows(model.norm_bias))]
    if config.norm == "batch":
        optional += [("running_mean", rows(model.running_mean))]
        optional += [("running_var", rows(model.running_var))]
    if config.layers == 2:
        squares = model.second_weight.split((width**2)[order].tolist())
        second = {t: s.view(width[t], width[t]) for t, s in zip(order, squares, strict=True)}
        optional += [("second_weight", second), ("second_bias", rows(model.second_bias))]
    if config.attention_heads:
        optional += _attention_by_term(model)
    subsystems = []
    for term in range(layout.graph.num_terms):
        out = int(width[term])
        columns = gene[term].view(int(genes[term]), out, embedded)
        own = [child[term].view(int(fan_in[term]), out).t(), columns.transpose(0, 1).flatten(1)]
        subsystems.append(
            Subsystem(
                weight=torch.cat(own, dim=1),
                bias=bias[term],
                head_weight=head[term].t(),
                head_bias=model.head_bias[term],
                **{name: values[term] for name, values in optional if term in values},
            )
        )
    return subsystems


def _attention_by_term(model: DCellParameters) -> list[tuple[str, dict[int, Tensor]]]:
    """The parameters of attention, of the terms that have it."""
    layout = model.layout
    inputs, tokens = layout.attention_inputs, [len(own.widths) for own in layout.tokens]
    order = [term for term in layout.order.tolist() if tokens[term]]
    of_inputs, of_tokens = [int(inputs[term]) for term in order], [tokens[term] for term in order]
    into = (own.t() for own in model.attention_in.split(of_inputs))
    return [
        ("attention_in", dict(zip(order, into, strict=True))),
        ("attention_bias", dict(zip(order, model.attention_bias.split(of_tokens), strict=True))),
        ("attention_out", dict(zip(order, model.attention_out.split(of_inputs), strict=True))),
    ]


# Names in per-term checkpoints, as the published per-term modules have them.
_NAMES = {
    "weight": "linear.weight", "bias": "linear.bias",
    "second_weight": "second.weight", "second_bias": "second.bias",
    "norm_weight": "norm.weight", "norm_bias": "norm.bias",
    "running_mean": "norm.running_mean", "running_var": "norm.running_var",
    "head_weight": "head.weight", "head_bias": "head.bias",
    "attention_in": "attention.in_weight", "attention_bias": "attention.in_bias",
    "attention_out": "attention.out_weight",
}  # fmt: skip


@torch.no_grad()
def export_subsystems(model: DCellParameters) -> dict[str, Tensor]:
    """Copies of all parameters as `subsystems.{term}.linear.weight`, …, and `embedding`."""
    exported = {}
    for term, own in zip(model.graph.term_ids, split_by_term(model), strict=True):
        for field, name in _NAMES.items():
            value = getattr(own, field)
            if value is not None:
                exported[f"subsystems.{term}.{name}"] = value.detach().clone()
    if model.config.gene_embedding:
        exported["embedding"] = model.embedding.detach().clone()
    return exported


def term_shapes(
    graph: CellGraph, config: ModelConfig, phenotypes: int
) -> dict[str, tuple[int, ...]]:
    """The shapes of what `export_subsystems` gives, in its order, without a model."""
    width, embedded = exact_widths(graph, config), max(1, config.gene_embedding)
    inputs = [int(count) * embedded for count in graph.genes_direct]
    for child, parent in graph.edges:
        inputs[parent] += width[child]
    shapes: dict[str, tuple[int, ...]] = {}
    attention, tokens = config.attention_width, tokens_of(graph, config, width)
    for term, own, fan_in, sizes in zip(graph.term_ids, width, inputs, tokens, strict=True):
        fields: dict[str, tuple[int, ...]] = {"weight": (own, fan_in), "bias": (own,)}
        if config.layers == 2:
            fields |= {"second_weight": (own, own), "second_bias": (own,)}
        if config.norm != "none":
            fields |= {"norm_weight": (own,), "norm_bias": (own,)}
        if config.norm == "batch":
            fields |= {"running_mean": (own,), "running_var": (own,)}
        fields |= {"head_weight": (phenotypes, own), "head_bias": (phenotypes,)}
        if sizes.count:
            fields["attention_in"] = (3 * attention, sum(sizes.widths))
            fields["attention_bias"] = (len(sizes.widths), 3 * attention)
            fields["attention_out"] = (sum(sizes.widths), attention)
        shapes |= {f"subsystems.{term}.{_NAMES[field]}": own for field, own in fields.items()}
    if config.gene_embedding:
        shapes["embedding"] = (graph.num_genes, embedded)
    return shapes


def check_term_shapes(
    exported: Mapping[str, Tensor], expected: Mapping[str, Sequence[int]]
) -> None:
    """Compare per-term parameters with the shapes that `term_shapes` gives.

    Raises:
        ArtefactError: a parameter is missing, is left over, or has another shape.
    """
    for name in sorted(expected.keys() ^ exported.keys()):
        what = "is missing" if name in expected else "belongs to no subsystem of this hierarchy"
        raise ArtefactError(f"per-term checkpoint: '{name}' {what}")
    for name, shape in expected.items():
        if list(exported[name].shape) != list(shape):
            raise ArtefactError(
                f"per-term checkpoint: '{name}' has shape {list(exported[name].shape)}; "
                f"expected {list(shape)}"
            )


@torch.no_grad()
def import_subsystems(model: DCellParameters, exported: Mapping[str, Tensor]) -> None:
    """Set a model's parameters from per-term ones.

    Raises:
        ArtefactError: a parameter is missing, is left over, or has another shape.
    """
    phenotypes = model.head_bias.shape[1]
    check_term_shapes(exported, term_shapes(model.graph, model.config, phenotypes))
    layout = model.layout
    embedded = max(1, model.config.gene_embedding)
    for term, own_parts in enumerate(split_by_term(model)):
        prefix = f"subsystems.{model.graph.term_ids[term]}."
        for field, name in _NAMES.items():
            target = getattr(own_parts, field)
            if target is not None and field != "weight":
                target.copy_(exported[prefix + name])
        out, fan_in = int(layout.widths[term]), int(layout.fan_in[term])
        weight = exported[prefix + "linear.weight"]
        first = int(layout.first_weight[term])
        model.child_weight[first : first + out * fan_in] = weight[:, :fan_in].t().flatten()
        pairs = layout.gene_rows(term)
        if pairs.stop > pairs.start:
            columns = weight[:, fan_in:].unflatten(1, (-1, embedded)).transpose(0, 1).flatten()
            start = int(layout.first_gene_weight[pairs.start]) * embedded
            model.gene_weight[start : start + len(columns)] = columns
    if model.config.gene_embedding:
        model.embedding.copy_(exported["embedding"])
