"""Many genotypes that share parts, in evaluation: only what two parts do together is computed.

Let a genotype be two units a and b (sets of deleted genes, each evaluated once before), with
D_a, D_b their differences from the wild type (see `engines.native_pass`) and d_a, d_b those of the
pre-activations. In a term that only one of them touches the genotype is as that unit. What is
beyond both,

    R(t) = D_ab(t) − D_a(t) − D_b(t),

is not zero only in terms that both touch, and pre-activations are linear in the children's outputs:

    d_ab(t) = d_a(t) + d_b(t) + Σ over children c that both touch of W_tc R(c)

so a pair of yeast needs 16 terms instead of 104. Nothing is neglected: the result is that of the
other engines. There is no backward pass, and only the root's prediction is made. Attention is not
linear, so a model with it is not combined of units.

Shapes: T terms, U units, B genotypes, N entries, w width, P phenotypes.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from data_specs.ragged import ragged_entries
from dcell_model.data import MutantStateBatch
from dcell_model.dcell.activations import ACTIVATIONS
from dcell_model.dcell.engines import differences, native_pass, torch_pass
from dcell_model.dcell.engines.edges import Edges
from dcell_model.dcell.engines.native_pairs import NativeUnits, combine_units
from dcell_model.dcell.engines.torch_pass import by_term
from dcell_model.dcell.engines.touched import entries_of, touched_entries
from dcell_model.dcell.engines.walk import Entries, Walk
from dcell_model.dcell.engines.weights import Weights
from dcell_model.dcell.parameters import DCellParameters

# Called before a group's activation, to add to d in place, and after it, to make of D in place what
# is carried to the parents.
InPlace = Callable[[Entries, Tensor], None]


def can_combine(model: DCellParameters) -> bool:
    """Whether genotypes can be combined of units: pre-activations are linear in what they read."""
    return not model.config.attention_heads


def units_of(model: DCellParameters, batch: MutantStateBatch) -> "Units":
    """U genotypes, evaluated at all terms that they touch, for `combine`.

    Args:
        model: in evaluation mode; when its parameters change, its units are to be made anew.
        batch: U genotypes.
    """
    assert can_combine(model)
    return NativeUnits(model, batch) if native_pass.suits(model) else TorchUnits(model, batch)


class TorchUnits:
    """Genotypes that others are combined of, evaluated at all terms that they touch.

    Attributes:
        reach: `[U, T]` bool, whether a unit touches the term of a rank.
        keys: `[N]` rank · U + unit of every entry, sorted.
        d, D: tables `[N + 1, w]` by width, pre-activations and outputs less the wild type's.
        root: `[U, P]` head of the root less the wild type's.
        wild_type, first: prediction `[P]` and pre-activations `[R]` of the wild type.
    """

    @torch.no_grad()
    def __init__(self, model: DCellParameters, batch: MutantStateBatch) -> None:
        at = touched_entries(
            model.layout, batch.term, batch.gene, batch.sample, batch.deleted_sample,
            batch.deleted_gene, len(batch), batch.state,
        )  # fmt: skip
        self.count = len(batch)
        self.wild_type, self.first = _wild_type(model)
        self.keys = at.rank * self.count + at.sample
        self.reach = torch.zeros(
            self.count, model.graph.num_terms, dtype=torch.bool, device=at.rank.device
        )
        self.reach[at.sample, at.rank] = True
        unit, self.ranks = torch.nonzero(self.reach, as_tuple=True)
        self.starts = torch.searchsorted(unit, torch.arange(self.count + 1, device=unit.device))
        own = Weights.of(model)
        sign = -1 if model.config.gene_input == "state" else 1

        def add_genes(at: Entries, d: Tensor) -> None:
            changes = at.sized(own.genes_of(at.group).index_select(0, at.change_input))
            d.index_add_(0, at.change_entry, changes, alpha=sign)

        walk, self.d, self.D = _evaluate(
            model, own, self.first, Walk(model.layout.handle, at.to_list(), model.bias.device),
            self.count, add_genes, lambda *_: None,
        )  # fmt: skip
        begin = torch.tensor([walk.begin[c.start] for c in walk.ranks.classes])
        self.class_begin = begin.to(unit.device)
        self.root = _root(walk, own, self.D, self.count)

    def places(self, walk: Walk, unit: Tensor) -> Tensor:
        """`[N]` rows, in the tables of their widths, of the entries of a walk for given units."""
        rank = walk.at.rank
        of_rank = walk.ranks.on(rank.device, "class_of_rank")
        place = torch.searchsorted(self.keys, rank * self.count + unit)
        return place - self.class_begin[of_rank[rank]]


Units = NativeUnits | TorchUnits


@torch.no_grad()
def combine(
    model: DCellParameters,
    left: Units,
    left_unit: Tensor,
    right: Units,
    right_unit: Tensor,
    threads: int = 1,
) -> Tensor:
    """`[B, P]` predictions of the genotypes left_unit[i] ∪ right_unit[i], which share no gene.

    The native pass runs on so many threads, and gives the same bytes on any number of them.
    """
    if isinstance(left, NativeUnits):
        assert isinstance(right, NativeUnits)
        return combine_units(model, left, left_unit, right, right_unit, threads)
    assert isinstance(left, TorchUnits)
    assert isinstance(right, TorchUnits)
    samples = len(left_unit)
    owner, entry = ragged_entries(right.starts[right_unit], right.starts[right_unit + 1])
    rank = right.ranks[entry]
    both = left.reach[left_unit[owner], rank]
    keys = (rank[both] * samples + owner[both]).sort().values
    none = keys.new_empty(0)
    at = entries_of(model.layout, keys, none, none, none, samples)
    units = [(left, left_unit[at.sample]), (right, right_unit[at.sample])]
    walk = Walk(model.layout.handle, at.to_list(), model.bias.device)
    tables = [(own, own.places(walk, unit)) for own, unit in units]

    def add_units(at: Entries, d: Tensor) -> None:
        for own, place in tables:
            d += own.d[at.class_number].index_select(0, place[at.all_rows])

    def beyond_units(at: Entries, D: Tensor) -> None:
        for own, place in tables:
            D -= own.D[at.class_number].index_select(0, place[at.all_rows])

    weights = Weights.of(model)
    _, _, R = _evaluate(model, weights, left.first, walk, samples, add_units, beyond_units)
    apart = left.wild_type + left.root[left_unit] + right.root[right_unit]
    return apart + _root(walk, weights, R, samples)


@torch.no_grad()
def _evaluate(
    model: DCellParameters, own: Weights, first_R: Tensor, walk: Walk, samples: int,
    before: InPlace, after: InPlace,
) -> tuple[Walk, list[Tensor], list[Tensor]]:  # fmt: skip
    """From the deepest stratum to the root; tables of d and of what `after` leaves of D."""
    config, act = model.config, ACTIVATIONS[model.config.activation]
    edges = Edges(walk, own.bias.dtype)
    D_flat, d_flat = walk.tables(own.bias), walk.tables(own.bias)
    D_tables, d_tables = walk.split(D_flat), walk.split(d_flat)
    for stratum in reversed(range(len(walk.strata))):
        edges.collect(stratum, own, D_flat, d_flat)
        for group in walk.strata[stratum]:
            if not group.count:
                continue
            d = d_tables[group.class_number][group.rows]
            before(group, d)
            z_wt, x = first_R[group.group.rows].view(-1, group.group.width), d
            if config.layers == 2:
                y_wt, y = differences.activate(act, group, z_wt, x)
                second = own.second_of(group.group)
                z_wt = torch.bmm(second, y_wt[:, :, None])[:, :, 0]
                z_wt = z_wt + own.second_bias[group.group.rows].view_as(z_wt)
                x = by_term(group, y, second.transpose(1, 2), own.bias.dtype)
            norm = differences.Norm(config.norm, own, group, (samples, samples), False)
            if config.norm_order == "act_norm":
                D = norm.forward(*differences.activate(act, group, z_wt, x))[1]
            else:
                D = differences.activate(act, group, *norm.forward(z_wt, x))[1]
            D_tables[group.class_number][group.rows] = D
            after(group, D_tables[group.class_number][group.rows])
    return walk, d_tables, D_tables


def _root(walk: Walk, own: Weights, D: list[Tensor], samples: int) -> Tensor:
    """`[B, P]` what the root's head makes of differences; zero where it is not touched."""
    root = walk.entries[0]  # the first rows are the root's
    head = own.head_of(root.group)[0]
    values = D[root.class_number][root.rows] @ head
    out = values.new_zeros(samples, head.shape[1])
    return out.index_copy_(0, walk.at.sample[root.all_rows], values)


@torch.no_grad()
def _wild_type(model: DCellParameters) -> tuple[Tensor, Tensor]:
    """Prediction `[P]` and pre-activations `[R]` of the wild type, from the torch pass."""
    none = torch.empty(0, dtype=torch.int64, device=model.bias.device)
    one = MutantStateBatch(none.new_zeros(1), none, none, none, none, none, model.bias[:0], ())
    assert not model.training
    heads = torch_pass.forward(model, one)
    return heads.wild_type[0], model.wild_type_cache.get(model)
