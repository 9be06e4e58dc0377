"""The backward pass over columns in Triton: three launches a stratum, and three after all.

See `gpu.forward_kernels`. Everything is pulled: a gradient is the sum of listed rows, so that no
program adds to what another one writes.
"""

import triton
import triton.language as tl

from dcell_model.dcell.gpu.activations import change, slope, slope_at, slope_change, value
from dcell_model.dcell.gpu.sums import add_product, sum_rows

_EPS = tl.constexpr(1e-5)  # dcell_model/dcell/layout.py


@triton.jit
def gradients_of_rows(
    carried_ptr, weight_ptr, head_ptr, grad_wild_ptr, grad_difference_ptr, grad_ptr,
    tile_rank_ptr, tile_row_ptr, tile_neuron_ptr, width_ptr, row_ptr, term_ptr, up_ptr, up_edge_ptr,
    parent_ptr, edge_weight_ptr, row_start_ptr, number_ptr, product_ptr, phenotypes,
    PRODUCT: tl.constexpr, PRECISION: tl.constexpr,
    ROWS: tl.constexpr, INNER: tl.constexpr, OUTER: tl.constexpr,
):  # fmt: skip
    """Gradients of a term's outputs, of its columns and its wild type, from heads and parents."""
    rank = tl.load(tile_rank_ptr + tl.program_id(0))
    if rank >= 0:
        width = tl.load(width_ptr + rank)
        start = tl.load(row_start_ptr + rank)
        count = tl.load(row_start_ptr + rank + 1) - start - 1
        row = tl.load(tile_row_ptr + tl.program_id(0)) + tl.arange(0, ROWS)
        column = tl.load(tile_neuron_ptr + tl.program_id(0)) + tl.arange(0, OUTER)
        live, real = row <= count, column < width
        total = tl.zeros((ROWS, OUTER), dtype=grad_ptr.dtype.element_ty)
        head = head_ptr + (tl.load(row_ptr + rank) + column) * phenotypes
        place = (start - rank + row).to(tl.int64) * phenotypes
        term = tl.load(term_ptr + rank) * phenotypes
        for phenotype in range(phenotypes):
            weights = tl.load(head + phenotype, mask=real, other=0.0)
            g = tl.load(grad_difference_ptr + place + phenotype, mask=row < count, other=0.0)
            g_wild = tl.load(grad_wild_ptr + term + phenotype)
            g = tl.where(row == count, g_wild, g)
            total += g[:, None] * weights[None, :]
        row = row.to(tl.int64)
        for number in range(tl.load(up_ptr + rank), tl.load(up_ptr + rank + 1)):
            edge = tl.load(up_edge_ptr + number)
            parent_width = tl.load(width_ptr + tl.load(parent_ptr + edge))
            total = add_product(
                total,
                carried_ptr + tl.load(product_ptr + edge), row, live, parent_width, 1,
                weight_ptr + tl.load(edge_weight_ptr + edge), column.to(tl.int64), real, 1,
                parent_width, parent_width, PRODUCT, PRECISION, INNER,
            )  # fmt: skip
        to = grad_ptr + tl.load(number_ptr + rank)
        tl.store(to + row[:, None] * width + column[None, :], total,
                 mask=live[:, None] & real[None, :])  # fmt: skip


@triton.jit
def gradients_of_terms(
    grad_ptr, first_ptr, norm_ptr, mean_ptr, var_ptr, moments_ptr, norm_bias_ptr, X_ptr, D_ptr,
    grad_bias_ptr, grad_norm_ptr, grad_norm_bias_ptr,
    tile_rank_ptr, tile_neuron_ptr, width_ptr, row_ptr,
    samples_ptr, row_start_ptr, shared_ptr, number_ptr, numbers,
    ACT: tl.constexpr, KEEPS_OUTPUT: tl.constexpr, BATCH_NORM: tl.constexpr,
    NORM_FIRST: tl.constexpr, TRAINING: tl.constexpr,
    NEURONS: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """From gradients of some neurons' outputs to those of pre-activations, in place.

    The row of the wild type has the gradient of what all samples have in common.
    """
    rank = tl.load(tile_rank_ptr + tl.program_id(0))
    width = tl.load(width_ptr + rank)
    column = tl.load(tile_neuron_ptr + tl.program_id(0)) + tl.arange(0, NEURONS)
    real = column < width
    neuron = tl.load(row_ptr + rank) + column
    start = tl.load(row_start_ptr + rank)
    count = tl.load(row_start_ptr + rank + 1) - start - 1
    number = tl.load(number_ptr + rank)
    G, X, D = grad_ptr + number, X_ptr + number, D_ptr + number
    wild_row = count.to(tl.int64) * width + column

    z = tl.load(first_ptr + neuron, mask=real, other=0.0)
    g_wild = tl.load(G + wild_row, mask=real, other=0.0).to(tl.float64)
    y = z if NORM_FIRST else value(z, ACT)
    scale = tl.zeros((NEURONS,), dtype=tl.float64) + 1.0
    shift = tl.zeros((NEURONS,), dtype=tl.float64)
    rstd = scale
    mean = shift
    between = y
    if BATCH_NORM:
        weight = tl.load(norm_ptr + neuron, mask=real, other=0.0).to(tl.float64)
        bias = tl.load(norm_bias_ptr + neuron, mask=real, other=0.0).to(tl.float64)
        if TRAINING:
            shift = tl.load(moments_ptr + neuron, mask=real, other=0.0)
            var = tl.load(moments_ptr + numbers + neuron, mask=real, other=0.0)
        else:
            mean = tl.load(mean_ptr + neuron, mask=real, other=0.0).to(tl.float64)
            var = tl.load(var_ptr + neuron, mask=real, other=0.0).to(tl.float64)
        rstd = 1.0 / tl.sqrt(var + _EPS)
        scale = weight * rstd
        if TRAINING:
            between = (bias - shift * scale).to(z.dtype)
        else:
            between = ((y.to(tl.float64) - mean) * scale + bias).to(z.dtype)
    # To the last bit that of the forward pass: where ReLU is off, out + D must be zero.
    out = tl.load(D + wild_row, mask=real, other=0.0)

    # The first round: sums over columns; where the norm comes first, also the activation.
    dot = tl.zeros((NEURONS,), dtype=tl.float64)
    along = tl.zeros((NEURONS,), dtype=tl.float64)
    if NORM_FIRST or BATCH_NORM:
        for begin in range(0, count, ROWS):
            row = begin + tl.arange(0, ROWS)
            at = row.to(tl.int64)[:, None] * width + column[None, :]
            mask = (row < count)[:, None] & real[None, :]
            g = tl.load(G + at, mask=mask, other=0.0)
            x = tl.load(X + at, mask=mask, other=0.0)
            if NORM_FIRST:
                if KEEPS_OUTPUT:
                    keep = tl.load(D + at, mask=mask, other=0.0)
                else:
                    keep = x * scale.to(x.dtype)[None, :]
                steeper = slope_change(between[None, :], out[None, :], keep, ACT)
                along += tl.sum(g.to(tl.float64) * steeper.to(tl.float64), axis=0)
                g = g * slope_at(between[None, :], out[None, :], keep, ACT)
                tl.store(G + at, g, mask=mask)
            elif not KEEPS_OUTPUT:
                x = change(z[None, :], y[None, :], x, ACT)
            dot += tl.sum(g.to(tl.float64) * x.to(tl.float64), axis=0)
    if NORM_FIRST:
        g_wild = g_wild * slope(between, out, ACT).to(tl.float64) + along
    flat, lift = shift, shift  # slope and offset of a gradient over the difference
    if BATCH_NORM:
        tl.store(grad_norm_bias_ptr + neuron, g_wild.to(z.dtype), mask=real)
        if TRAINING:
            samples = tl.load(samples_ptr).to(tl.float64)
            dot -= g_wild * shift
            flat = scale * rstd * rstd * dot / samples
            lift = flat * shift - scale * g_wild / samples
            # What the samples have in common drops out.
            g_wild = tl.zeros((NEURONS,), dtype=tl.float64)
        else:
            dot += g_wild * (y.to(tl.float64) - mean)
            g_wild = g_wild * scale
        tl.store(grad_norm_ptr + neuron, (dot * rstd).to(z.dtype), mask=real)

    # The second: through the norm, and the activation before it.
    along = tl.zeros((NEURONS,), dtype=tl.float64)
    tl.debug_barrier()  # rows that other threads of this program have written are read
    for begin in range(0, count, ROWS):
        row = begin + tl.arange(0, ROWS)
        live = row < count
        at = row.to(tl.int64)[:, None] * width + column[None, :]
        mask = live[:, None] & real[None, :]
        g = tl.load(G + at, mask=mask, other=0.0)
        x = tl.load(X + at, mask=mask, other=0.0)
        if BATCH_NORM:
            g = g * scale.to(g.dtype)[None, :]
            if TRAINING:
                h = x
                if not (NORM_FIRST or KEEPS_OUTPUT):
                    h = change(z[None, :], y[None, :], x, ACT)
                shared = tl.load(shared_ptr + start + row, mask=live, other=0).to(g.dtype)
                g += shared[:, None] * (lift.to(g.dtype)[None, :] - flat.to(g.dtype)[None, :] * h)
        if not NORM_FIRST:
            steeper = slope_change(z[None, :], y[None, :], x, ACT)
            along += tl.sum(g.to(tl.float64) * steeper.to(tl.float64), axis=0)
            g = g * slope_at(z[None, :], y[None, :], x, ACT)
        tl.store(G + at, g, mask=mask)
    if not NORM_FIRST:
        g_wild = g_wild * slope(z, y, ACT).to(tl.float64) + along
    tl.store(G + wild_row, g_wild.to(z.dtype), mask=real)
    tl.store(grad_bias_ptr + neuron, g_wild.to(z.dtype), mask=real)


@triton.jit
def pull_along_edges(
    grad_ptr, carried_ptr,
    tile_edge_ptr, tile_row_ptr, tile_neuron_ptr, parent_ptr, width_ptr,
    first_place_ptr, pull_start_ptr, pull_row_ptr, number_ptr, product_ptr,
    ROWS: tl.constexpr, OUTER: tl.constexpr, AT_ONCE: tl.constexpr,
):  # fmt: skip
    """Put the gradients of a parent's rows into the places that they sum."""
    edge = tl.load(tile_edge_ptr + tl.program_id(0))
    if edge >= 0:
        parent = tl.load(parent_ptr + edge)
        width = tl.load(width_ptr + parent)
        first = tl.load(first_place_ptr + edge)
        rows = tl.load(first_place_ptr + edge + 1) - first
        row = tl.load(tile_row_ptr + tl.program_id(0)) + tl.arange(0, ROWS)
        column = tl.load(tile_neuron_ptr + tl.program_id(0)) + tl.arange(0, OUTER)
        live, real = row < rows, column < width
        place = first + tl.minimum(row, rows - 1)
        start = tl.load(pull_start_ptr + place)
        end = tl.where(live, tl.load(pull_start_ptr + place + 1), start)
        total = sum_rows(
            grad_ptr + tl.load(number_ptr + parent), pull_row_ptr, start, end, width, column, real,
            AT_ONCE,
        )  # fmt: skip
        to = carried_ptr + tl.load(product_ptr + edge)
        tl.store(to + row.to(tl.int64)[:, None] * width + column[None, :], total,
                 mask=live[:, None] & real[None, :])  # fmt: skip


@triton.jit
def gradients_of_edges(
    D_ptr, carried_ptr, grad_ptr,
    tile_edge_ptr, tile_inner_ptr, tile_outer_ptr, child_ptr, parent_ptr, edge_weight_ptr,
    width_ptr, row_start_ptr, number_ptr, product_ptr,
    PRODUCT: tl.constexpr, PRECISION: tl.constexpr,
    ROWS: tl.constexpr, INNER: tl.constexpr, OUTER: tl.constexpr,
):  # fmt: skip
    """`W[child neuron, parent neuron]`: Σ over the child's rows of D · gradient of the place."""
    edge = tl.load(tile_edge_ptr + tl.program_id(0))
    child, parent = tl.load(child_ptr + edge), tl.load(parent_ptr + edge)
    child_width, width = tl.load(width_ptr + child), tl.load(width_ptr + parent)
    inner = tl.load(tile_inner_ptr + tl.program_id(0)) + tl.arange(0, INNER)
    column = tl.load(tile_outer_ptr + tl.program_id(0)) + tl.arange(0, OUTER)
    rows = tl.load(row_start_ptr + child + 1) - tl.load(row_start_ptr + child)
    is_inner, is_column = inner < child_width, column < width
    inner, column = inner.to(tl.int64), column.to(tl.int64)
    total = add_product(
        tl.zeros((INNER, OUTER), dtype=grad_ptr.dtype.element_ty),
        D_ptr + tl.load(number_ptr + child), inner, is_inner, 1, child_width,
        carried_ptr + tl.load(product_ptr + edge), column, is_column, width, 1,
        rows, PRODUCT, PRECISION, ROWS,
    )  # fmt: skip
    to = grad_ptr + tl.load(edge_weight_ptr + edge)
    tl.store(to + inner[:, None] * width + column[None, :], total,
             mask=is_inner[:, None] & is_column[None, :])  # fmt: skip


@triton.jit
def gradients_of_genes(
    grad_ptr, to_ptr,
    tile_rank_ptr, tile_gene_ptr, tile_neuron_ptr, width_ptr, first_gene_ptr, pair_ptr,
    row_start_ptr, pair_start_ptr, pair_row_ptr, number_ptr,
    STATE: tl.constexpr, GENES: tl.constexpr, OUTER: tl.constexpr, AT_ONCE: tl.constexpr,
):  # fmt: skip
    """Of the weights of some genes of a term: of the wild type's, and of rows that delete them."""
    rank = tl.load(tile_rank_ptr + tl.program_id(0))
    width = tl.load(width_ptr + rank)
    first = tl.load(pair_ptr + rank)
    genes = tl.load(pair_ptr + rank + 1) - first
    gene = tl.load(tile_gene_ptr + tl.program_id(0)) + tl.arange(0, GENES)
    column = tl.load(tile_neuron_ptr + tl.program_id(0)) + tl.arange(0, OUTER)
    live, real = gene < genes, column < width
    G = grad_ptr + tl.load(number_ptr + rank)
    pair = first + tl.minimum(gene, genes - 1)
    start = tl.load(pair_start_ptr + pair)
    end = tl.where(live, tl.load(pair_start_ptr + pair + 1), start)
    total = sum_rows(G, pair_row_ptr, start, end, width, column, real, AT_ONCE)
    if STATE:
        count = tl.load(row_start_ptr + rank + 1) - tl.load(row_start_ptr + rank) - 1
        wild = tl.load(G + count.to(tl.int64) * width + column, mask=real, other=0.0)
        total = wild[None, :] - total
    to = to_ptr + tl.load(first_gene_ptr + rank)
    tl.store(to + gene.to(tl.int64)[:, None] * width + column[None, :], total,
             mask=live[:, None] & real[None, :])  # fmt: skip


@triton.jit
def gradients_of_heads(
    D_ptr, grad_wild_ptr, grad_difference_ptr, to_ptr,
    tile_rank_ptr, tile_neuron_ptr, width_ptr, row_ptr, term_ptr, row_start_ptr, number_ptr,
    phenotypes,
    NEURONS: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """Of the head's weights of some neurons of a term for one phenotype."""
    rank = tl.load(tile_rank_ptr + tl.program_id(0))
    phenotype = tl.program_id(1)
    width = tl.load(width_ptr + rank)
    column = tl.load(tile_neuron_ptr + tl.program_id(0)) + tl.arange(0, NEURONS)
    real = column < width
    start = tl.load(row_start_ptr + rank)
    count = tl.load(row_start_ptr + rank + 1) - start - 1
    D = D_ptr + tl.load(number_ptr + rank)
    given = grad_difference_ptr + (start - rank).to(tl.int64) * phenotypes + phenotype
    out = tl.load(D + count.to(tl.int64) * width + column, mask=real, other=0.0)
    g_wild = tl.load(grad_wild_ptr + tl.load(term_ptr + rank) * phenotypes + phenotype)
    total = out.to(tl.float64) * g_wild.to(tl.float64)
    for begin in range(0, count, ROWS):
        row = begin + tl.arange(0, ROWS)
        live = row < count
        values = tl.load(
            D + row.to(tl.int64)[:, None] * width + column[None, :],
            mask=live[:, None] & real[None, :], other=0.0,
        )  # fmt: skip
        g = tl.load(given + row.to(tl.int64) * phenotypes, mask=live, other=0.0)
        total += tl.sum(values.to(tl.float64) * g.to(tl.float64)[:, None], axis=0)
    to = to_ptr + (tl.load(row_ptr + rank) + column) * phenotypes + phenotype
    tl.store(to, total.to(out.dtype), mask=real)
