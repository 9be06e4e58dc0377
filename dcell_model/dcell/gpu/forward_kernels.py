"""The forward pass over columns in Triton: two launches a stratum, one before and one after all.

Rows, places and tiles are those of `gpu.plan`, equations those of `engines.native_pass`. Sums over
rows are taken in double precision, whatever the products run in.
"""

import triton
import triton.language as tl

from dcell_model.dcell.gpu.activations import change, value
from dcell_model.dcell.gpu.sums import add_product, sum_rows

_EPS = tl.constexpr(1e-5)  # dcell_model/dcell/layout.py


@triton.jit
def wild_type_genes(
    gene_ptr, bias_ptr, first_ptr,
    tile_rank_ptr, tile_neuron_ptr, width_ptr, row_ptr, first_gene_ptr, pair_ptr,
    STATE: tl.constexpr, NEURONS: tl.constexpr, GENES: tl.constexpr,
):  # fmt: skip
    """Bias, and the weights of all genes of a term, that no deletion takes away."""
    rank = tl.load(tile_rank_ptr + tl.program_id(0))
    width = tl.load(width_ptr + rank)
    column = tl.load(tile_neuron_ptr + tl.program_id(0)) + tl.arange(0, NEURONS)
    real = column < width
    row = tl.load(row_ptr + rank)
    bias = tl.load(bias_ptr + row + column, mask=real, other=0.0)
    total = bias.to(tl.float64)
    if STATE:
        weights = gene_ptr + tl.load(first_gene_ptr + rank)
        genes = tl.load(pair_ptr + rank + 1) - tl.load(pair_ptr + rank)
        for first in range(0, genes, GENES):
            gene = first + tl.arange(0, GENES)
            values = tl.load(
                weights + gene.to(tl.int64)[:, None] * width + column[None, :],
                mask=(gene < genes)[:, None] & real[None, :], other=0.0,
            )  # fmt: skip
            total += tl.sum(values.to(tl.float64), axis=0)
    tl.store(first_ptr + row + column, total.to(bias.dtype), mask=real)


@triton.jit
def products_of_edges(
    D_ptr, weight_ptr, places_ptr,
    tile_edge_ptr, tile_row_ptr, tile_neuron_ptr, child_ptr, parent_ptr, edge_weight_ptr, width_ptr,
    row_start_ptr, number_ptr, product_ptr,
    PRODUCT: tl.constexpr, PRECISION: tl.constexpr,
    ROWS: tl.constexpr, INNER: tl.constexpr, OUTER: tl.constexpr,
):  # fmt: skip
    """Put `D[child's rows] @ W` into the places of an edge: once for each distinct column."""
    edge = tl.load(tile_edge_ptr + tl.program_id(0))
    if edge >= 0:
        child, parent = tl.load(child_ptr + edge), tl.load(parent_ptr + edge)
        child_width, width = tl.load(width_ptr + child), tl.load(width_ptr + parent)
        rows = tl.load(row_start_ptr + child + 1) - tl.load(row_start_ptr + child)
        row = tl.load(tile_row_ptr + tl.program_id(0)) + tl.arange(0, ROWS)
        column = tl.load(tile_neuron_ptr + tl.program_id(0)) + tl.arange(0, OUTER)
        live, real = row < rows, column < width
        row = row.to(tl.int64)
        total = add_product(
            tl.zeros((ROWS, OUTER), dtype=places_ptr.dtype.element_ty),
            D_ptr + tl.load(number_ptr + child), row, live, child_width, 1,
            weight_ptr + tl.load(edge_weight_ptr + edge), column.to(tl.int64), real, width, 1,
            child_width, PRODUCT, PRECISION, INNER,
        )  # fmt: skip
        to = places_ptr + tl.load(product_ptr + edge)
        tl.store(to + row[:, None] * width + column[None, :], total,
                 mask=live[:, None] & real[None, :])  # fmt: skip


@triton.jit
def outputs_of_terms(
    places_ptr, gene_ptr, first_ptr, norm_ptr, norm_bias_ptr, mean_ptr, var_ptr, moments_ptr,
    X_ptr, D_ptr,
    tile_rank_ptr, tile_neuron_ptr, width_ptr, row_ptr, down_ptr, first_gene_ptr,
    samples_ptr, row_start_ptr, shared_ptr, link_start_ptr, link_place_ptr, change_start_ptr,
    change_gene_ptr, number_ptr, product_ptr, numbers,
    ACT: tl.constexpr, KEEPS_OUTPUT: tl.constexpr, BATCH_NORM: tl.constexpr,
    NORM_FIRST: tl.constexpr, TRAINING: tl.constexpr, KNOWN: tl.constexpr, STATE: tl.constexpr,
    NEURONS: tl.constexpr, ROWS: tl.constexpr, AT_ONCE: tl.constexpr, WILD_AT_ONCE: tl.constexpr,
):  # fmt: skip
    """Outputs of some neurons of a term, of the wild type and of all columns less those.

    What the backward pass needs of columns goes to X: the change of the activation where it keeps
    its output and comes first, else that of the pre-activation. `numbers` are the rows of all
    terms' neurons: moments are `[2, numbers]`.
    """
    rank = tl.load(tile_rank_ptr + tl.program_id(0))
    width = tl.load(width_ptr + rank)
    column = tl.load(tile_neuron_ptr + tl.program_id(0)) + tl.arange(0, NEURONS)
    real = column < width
    neuron = tl.load(row_ptr + rank) + column
    start = tl.load(row_start_ptr + rank)
    wild = tl.load(row_start_ptr + rank + 1) - 1
    count = wild - start
    number = tl.load(number_ptr + rank)
    D, X = D_ptr + number, X_ptr + number
    places = places_ptr + tl.load(product_ptr + tl.load(down_ptr + rank))
    genes = gene_ptr + tl.load(first_gene_ptr + rank)

    z = tl.load(first_ptr + neuron, mask=real, other=0.0)
    if not KNOWN:
        one = tl.arange(0, 1)
        wild_start = tl.load(link_start_ptr + wild + one)
        wild_end = tl.load(link_start_ptr + wild + 1 + one)
        children = sum_rows(
            places, link_place_ptr, wild_start, wild_end, width, column, real, WILD_AT_ONCE
        )
        z = (z.to(tl.float64) + tl.sum(children.to(tl.float64), axis=0)).to(z.dtype)
        tl.store(first_ptr + neuron, z, mask=real)

    # The wild type on both sides of the activation, and what the norm does to differences.
    y = z if NORM_FIRST else value(z, ACT)
    scale = tl.zeros((NEURONS,), dtype=tl.float64) + 1.0
    between = y
    if BATCH_NORM:
        weight = tl.load(norm_ptr + neuron, mask=real, other=0.0).to(tl.float64)
        bias = tl.load(norm_bias_ptr + neuron, mask=real, other=0.0).to(tl.float64)
        if not TRAINING:
            mean = tl.load(mean_ptr + neuron, mask=real, other=0.0).to(tl.float64)
            var = tl.load(var_ptr + neuron, mask=real, other=0.0).to(tl.float64)
            scale = weight / tl.sqrt(var + _EPS)
            between = ((y.to(tl.float64) - mean) * scale + bias).to(z.dtype)
    out = value(between, ACT) if NORM_FIRST else between

    total = tl.zeros((NEURONS,), dtype=tl.float64)
    for begin in range(0, count, ROWS):
        row = begin + tl.arange(0, ROWS)
        live = row < count
        # The wild type's row exists: loads without a mask stay inside.
        place = start + tl.minimum(row, count)
        link_start = tl.load(link_start_ptr + place)
        link_end = tl.where(live, tl.load(link_start_ptr + place + 1), link_start)
        d = sum_rows(places, link_place_ptr, link_start, link_end, width, column, real, AT_ONCE)
        change_start = tl.load(change_start_ptr + place)
        change_end = tl.where(live, tl.load(change_start_ptr + place + 1), change_start)
        deleted = sum_rows(
            genes, change_gene_ptr, change_start, change_end, width, column, real, AT_ONCE
        )
        d = d - deleted if STATE else d + deleted
        at = row.to(tl.int64)[:, None] * width + column[None, :]
        mask = live[:, None] & real[None, :]
        h = d if NORM_FIRST else change(z[None, :], y[None, :], d, ACT)
        if NORM_FIRST or not KEEPS_OUTPUT:
            tl.store(X + at, d, mask=mask)
        else:
            tl.store(X + at, h, mask=mask)
        if BATCH_NORM and TRAINING:
            shared = tl.load(shared_ptr + place, mask=live, other=0).to(tl.float64)
            total += tl.sum(h.to(tl.float64) * shared[:, None], axis=0)
            if not NORM_FIRST:
                tl.store(D + at, h, mask=mask)
        else:
            t = h * scale.to(h.dtype)[None, :]
            if NORM_FIRST:
                t = change(between[None, :], out[None, :], t, ACT)
            tl.store(D + at, t, mask=mask)

    if BATCH_NORM and TRAINING:
        samples = tl.load(samples_ptr).to(tl.float64)
        shift = total / samples
        source = X if NORM_FIRST else D
        tl.debug_barrier()  # rows that other threads of this program have written are read
        rest = tl.load(shared_ptr + wild).to(tl.float64)
        squares = rest * shift * shift
        for begin in range(0, count, ROWS):
            row = begin + tl.arange(0, ROWS)
            live = row < count
            at = row.to(tl.int64)[:, None] * width + column[None, :]
            mask = live[:, None] & real[None, :]
            h = tl.load(source + at, mask=mask, other=0.0)
            shared = tl.load(shared_ptr + start + row, mask=live, other=0).to(tl.float64)
            centred = h.to(tl.float64) - shift[None, :]
            squares += tl.sum(centred * centred * shared[:, None], axis=0)
        var = squares / samples
        scale = weight / tl.sqrt(var + _EPS)
        tl.store(mean_ptr + neuron, (y.to(tl.float64) + shift).to(z.dtype), mask=real)
        tl.store(var_ptr + neuron, var.to(z.dtype), mask=real)
        tl.store(moments_ptr + neuron, shift, mask=real)
        tl.store(moments_ptr + numbers + neuron, var, mask=real)
        between = (bias - shift * scale).to(z.dtype)
        out = value(between, ACT) if NORM_FIRST else between
        tl.debug_barrier()
        for begin in range(0, count, ROWS):
            row = begin + tl.arange(0, ROWS)
            at = row.to(tl.int64)[:, None] * width + column[None, :]
            mask = (row < count)[:, None] & real[None, :]
            h = tl.load(source + at, mask=mask, other=0.0)
            t = h * scale.to(h.dtype)[None, :]
            if NORM_FIRST:
                t = change(between[None, :], out[None, :], t, ACT)
            tl.store(D + at, t, mask=mask)
    tl.store(D + count.to(tl.int64) * width + column, out, mask=real)


@triton.jit
def heads_of_rows(
    D_ptr, head_ptr, head_bias_ptr, wild_ptr, difference_ptr,
    tile_rank_ptr, tile_row_ptr, tile_neuron_ptr, width_ptr, row_ptr, term_ptr,
    row_start_ptr, number_ptr, phenotypes,
    ROWS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """Heads of all rows for one phenotype: of wild types `[T, P]`, of columns less those."""
    rank = tl.load(tile_rank_ptr + tl.program_id(0))
    if (rank >= 0) & (tl.load(tile_neuron_ptr + tl.program_id(0)) == 0):
        phenotype = tl.program_id(1)
        width = tl.load(width_ptr + rank)
        start = tl.load(row_start_ptr + rank)
        count = tl.load(row_start_ptr + rank + 1) - start - 1
        row = tl.load(tile_row_ptr + tl.program_id(0)) + tl.arange(0, ROWS)
        head = head_ptr + tl.load(row_ptr + rank) * phenotypes + phenotype
        D = D_ptr + tl.load(number_ptr + rank)
        total = tl.zeros((ROWS,), dtype=D_ptr.dtype.element_ty)
        for first in range(0, width, INNER):
            inner = first + tl.arange(0, INNER)
            values = tl.load(
                D + row.to(tl.int64)[:, None] * width + inner[None, :],
                mask=(row <= count)[:, None] & (inner < width)[None, :], other=0.0,
            )  # fmt: skip
            weights = tl.load(head + inner * phenotypes, mask=inner < width, other=0.0)
            total += tl.sum(values * weights[None, :], axis=1)
        # Columns are numbered without the wild types of the ranks before.
        place = (start - rank + row).to(tl.int64) * phenotypes + phenotype
        tl.store(difference_ptr + place, total, mask=row < count)
        term = tl.load(term_ptr + rank) * phenotypes + phenotype
        bias = tl.load(head_bias_ptr + term)
        wild = total + bias
        tl.store(wild_ptr + term + row * 0, wild, mask=row == count)
