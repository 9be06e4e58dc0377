"""Genotypes combined of two units by the native pass; the equations are in `engines.combined`."""

import ctypes

import torch
from torch import Tensor

from dcell_model.data import MutantStateBatch
from dcell_model.dcell.columns import Columns
from dcell_model.dcell.engines.native_pass import columns_operator, forward_operator
from dcell_model.dcell.engines.weights import Weights
from dcell_model.dcell.native import NativeHierarchy, Settings, call
from dcell_model.dcell.parameters import DCellParameters


class _Units(ctypes.Structure):
    """The struct `Units` of `hierarchy.h`."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("starts", "places", "offset", "d", "D")]


class NativeUnits:
    """Genotypes that others are combined of, with their columns at all terms that they touch.

    Attributes:
        root: `[U, P]` head of the root less the wild type's.
        wild_type: `[P]` prediction of the wild type.
        first, last: `[R]` the wild type's pre-activations, of the first layer and of the last.
        struct: the struct `Units` of `hierarchy.h`.
    """

    @torch.no_grad()
    def __init__(self, model: DCellParameters, batch: MutantStateBatch) -> None:
        assert not model.training
        layout, units = model.layout, len(batch)
        hierarchy = NativeHierarchy.of(layout)
        columns = columns_operator(
            batch.deleted_sample, batch.deleted_gene, units, layout.handle, batch.deleted_state
        )
        heads, difference, _, _, self.first, self.last, D, X, Y = forward_operator(
            Weights.of(model).to_list(), columns, model.wild_type_cache.get(model), units,
            layout.handle, False, True,
        )  # fmt: skip
        self.wild_type = heads[0]
        own, width = Columns(*columns), torch.from_numpy(hierarchy.width)
        ranks = len(width)
        rank = torch.arange(ranks).repeat_interleave(own.entry_starts.diff())
        # Column q of a rank stands behind the columns and wild types of all ranks before it.
        rows = own.starts.diff() + 1
        table = torch.cat([rows.new_zeros(1), (rows * width).cumsum(0)])[:-1]
        column = own.entry_column.long()
        offset = table[rank] + (column - own.starts[rank]) * width[rank]
        place = torch.from_numpy(layout.place[hierarchy.terms])[rank]
        unit = own.entry_sample.long()
        order = (unit * ranks - place).argsort()  # a unit's places descend
        self.root = difference.new_zeros(units, difference.shape[1])
        is_root = torch.from_numpy(hierarchy.terms)[rank] == 0
        self.root[unit[is_root]] = difference[column[is_root]]
        self._kept = (
            torch.searchsorted(unit[order], torch.arange(units + 1)),
            place[order].int(),
            offset[order],
            Y if layout.config.layers == 2 else X,
            D,
        )
        self.struct = _Units(*(tensor.data_ptr() for tensor in self._kept))


@torch.no_grad()
def combine_units(
    model: DCellParameters,
    left: NativeUnits,
    left_unit: Tensor,
    right: NativeUnits,
    right_unit: Tensor,
    threads: int,
) -> Tensor:
    """`[B, P]` predictions of the genotypes left_unit[i] ∪ right_unit[i], which share no gene."""
    weights = Weights(*(tensor.contiguous() for tensor in Weights.of(model).to_list()))
    phenotypes = weights.head.shape[1]
    beyond = weights.head.new_empty(len(left_unit), phenotypes)
    settings = Settings.of(model.config, phenotypes=phenotypes, threads=threads)
    call(
        "combine", beyond, NativeHierarchy.of(model.layout).struct, settings, weights.to_list(),
        left.first, left.last, left.struct, right.struct, len(beyond), left_unit.contiguous(),
        right_unit.contiguous(), beyond,
    )  # fmt: skip
    apart: Tensor = left.wild_type + left.root[left_unit] + right.root[right_unit]
    return apart + beyond
