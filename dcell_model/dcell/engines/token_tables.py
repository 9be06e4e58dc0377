"""Where the inputs and tokens of a group's terms lie, as `engines.attention_pass` takes them.

The inputs of a group are its children's neurons, then its genes' states (or embeddings). Its terms
with about as many tokens form a bucket, in which all have as many, some of them empty; tokens lie
by bucket, term and token. The entries of a batch have their tokens in the same way, by bucket,
entry and token. A number one too large, for which tables have a row of zeros more, stands for
inputs without a token, for empty tokens, and for padding.

Shapes: of a group, n terms, X inputs, P (term, gene) pairs, J tokens (all terms'), N entries, F
tokens of entries.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data_specs.cell_graph import IntArray
from dcell_model.dcell.layout import SubsystemLayout

# Numbers of padding that a product may hold: less than what one more product would cost.
PADDING = 200_000
FEW = 32  # up to so many tokens a term is padded to the next power of two


@dataclass(frozen=True, slots=True)
class Bucket:
    """The terms of a group with about as many tokens.

    Attributes:
        terms: `[n]` of the group's.
        size: tokens of each, empty ones included.
        tokens: where they lie among the group's.
        real: `[n, size]` bool, which are not empty; None if all are not.
    """

    terms: Tensor
    size: int
    tokens: slice
    real: Tensor | None


@dataclass(frozen=True, slots=True)
class TokenTables:
    """Inputs and tokens of one group.

    Attributes:
        term_of_input: `[X]` of the group's terms.
        token_of_input: `[X]`, J without attention.
        row_of_input: `[X]` row of the group's part of attention_in and attention_out.
        row_of_token: `[J]` row of the group's part of attention_bias.
        inputs_of_tokens: tokens `[k]` of about equal width, with the inputs `[k · width]` of each.
        token_in_term: `[Σ fan_in]` of every child neuron, the number of its token in its term.
        gene_in_term: `[P]` the same of every gene.
        buckets: all terms with attention.
        rows, tokens: the group's parts of attention_in (and out), and of attention_bias.
        count: J.
        bucket_of_term: `[n]` on the CPU; -1 without attention.
        place_of_term: `[n]` on the CPU, in its bucket.
    """

    term_of_input: Tensor
    token_of_input: Tensor
    row_of_input: Tensor
    row_of_token: Tensor
    inputs_of_tokens: list[tuple[Tensor, Tensor]]
    token_in_term: Tensor
    gene_in_term: Tensor
    buckets: list[Bucket]
    rows: slice
    tokens: slice
    count: int
    bucket_of_term: IntArray
    place_of_term: IntArray

    @classmethod
    def of(cls, layout: SubsystemLayout, device: torch.device) -> "list[TokenTables]":
        """The tables of all groups, made once a device."""
        return layout.once(
            (cls, device),
            lambda: [_tables(layout, number, device) for number in range(len(layout.groups))],
        )


@dataclass(frozen=True, slots=True)
class PlacedBucket:
    """The entries of a bucket's terms in one batch.

    Attributes:
        bucket: the bucket.
        entries: `[m]` of the group's, by term.
        term: `[m]` of the bucket's.
        tokens: where their tokens lie among those of the group's entries.
        runs: terms `[k]` with about as many entries; their places `[k · b]` among the m, and the
            same among the group's entries.
    """

    bucket: Bucket
    entries: Tensor
    term: Tensor
    tokens: slice
    runs: list[tuple[Tensor, Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class Placed:
    """The tokens of a group's entries in one batch.

    Attributes:
        begin: `[N + 1]` where each entry's tokens begin; F for terms without attention.
        source: `[F]` the same tokens of the wild type, among the group's.
        count: F.
        buckets: those with entries or without.
        by_term: runs as those of a bucket, of all terms and entries of the group.
    """

    begin: Tensor
    source: Tensor
    count: int
    buckets: list[PlacedBucket]
    by_term: list[tuple[Tensor, Tensor, Tensor]]

    @classmethod
    def of(cls, tables: TokenTables, counts: IntArray, area: int, by_term: bool) -> "Placed":
        """The tokens of a batch.

        Args:
            tables: of the group.
            counts: `[n]` entries of each term.
            area: numbers in a row of the group's widest product, for padding.
            by_term: whether runs of the whole group are asked for.
        """
        device, total = tables.term_of_input.device, int(counts.sum())
        first = np.cumsum(counts) - counts
        begin = np.full(total + 1, -1, dtype=np.int64)
        source, buckets, used = [], [], 0
        for number, bucket in enumerate(tables.buckets):
            terms = np.flatnonzero(tables.bucket_of_term == number)
            own = counts[terms]
            entries = _ranges(first[terms], own)
            term = np.repeat(np.arange(len(terms)), own)
            begin[entries] = used + np.arange(len(entries)) * bucket.size
            tokens = bucket.tokens.start + term[:, None] * bucket.size + np.arange(bucket.size)
            source.append(tokens.reshape(-1))
            runs = _runs(own, np.cumsum(own) - own, bucket.size * area, entries, total, device)
            until = used + tokens.size
            buckets.append(
                PlacedBucket(
                    bucket,
                    _tensor(entries, device),
                    _tensor(term, device),
                    slice(used, until),
                    runs,
                )
            )
            used = until
        begin[begin < 0] = used
        of_group = _runs(counts, first, area, np.arange(total), total, device) if by_term else []
        every = np.concatenate([np.empty(0, dtype=np.int64), *source])
        return cls(_tensor(begin, device), _tensor(every, device), used, buckets, of_group)


def _runs(
    counts: IntArray, first: IntArray, area: int, entries: IntArray, total: int,
    device: torch.device,
) -> list[tuple[Tensor, Tensor, Tensor]]:  # fmt: skip
    """Terms with about as many entries, padded; see `PlacedBucket.runs`."""
    found = []
    beyond = np.append(entries, total)
    for terms, size in padded(counts, area):
        places = _padded_ranges(first[terms], counts[terms], size, len(entries))
        found.append(
            (_tensor(terms, device), _tensor(places, device), _tensor(beyond[places], device))
        )
    return found


def padded(counts: IntArray, area: int) -> Iterator[tuple[IntArray, int]]:
    """Cut what has `counts` rows of so many numbers into sets that are padded to their largest.

    Yields:
        Which of them, and the rows that they are padded to; none without rows.
    """
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    start, waste = 0, 0
    for place in range(1, len(order) + 1):
        size = int(counts[order[start]])
        if place < len(order):
            waste += (size - int(counts[order[place]])) * area
            if waste <= PADDING:
                continue
        yield order[start:place], size
        start, waste = place, 0


def _tables(layout: SubsystemLayout, number: int, device: torch.device) -> TokenTables:
    group, config = layout.groups[number], layout.config
    terms, n = group.terms, len(group.terms)
    tokens = [layout.tokens[term] for term in terms]
    attends = np.array([own.count > 0 for own in tokens])
    fan_in, genes = layout.fan_in[terms], np.diff(group.genes)
    embedded = max(1, config.gene_embedding)
    inputs = layout.attention_inputs[terms]
    kinds = np.array([len(own.widths) for own in tokens])
    first_row, first_kind = np.cumsum(inputs) - inputs, np.cumsum(kinds) - kinds
    rows = int(layout.first_attention[terms[0]])
    of_tokens = int(layout.first_attention_bias[terms[0]])

    bucket_of_term, place_of_term, first_token = (np.full(n, -1) for _ in range(3))
    buckets: list[Bucket] = []
    count = 0
    sizes = np.array([_padded_size(own.count) for own in tokens])
    for size in np.unique(sizes[attends]).tolist():
        (own,) = np.nonzero(sizes == size)
        bucket_of_term[own], place_of_term[own] = len(buckets), np.arange(len(own))
        first_token[own] = count + np.arange(len(own)) * size
        real = np.array([tokens[term].count for term in own])[:, None] > np.arange(size)
        mask = None if real.all() else torch.from_numpy(real).to(device)
        until = count + len(own) * size
        buckets.append(Bucket(_tensor(own, device), size, slice(count, until), mask))
        count = until

    in_term: list[IntArray] = []  # number of the token of every child neuron
    gene_in_term: list[IntArray] = []
    row: list[IntArray] = []  # of the attention's parameters, by input; first all children's
    gene_row: list[IntArray] = []
    kind = np.full(count, int(kinds.sum()))
    segments: list[tuple[int, int, int]] = []  # token, first input, width
    before, before_gene = 0, int(fan_in.sum())
    for place, term in enumerate(terms.tolist()):
        of_child = layout.widths[layout.children[term]]
        in_term.append(np.repeat(np.arange(len(of_child)), of_child))
        own, m = tokens[place], int(genes[place])
        apart = own.genes > 1
        gene_in_term.append(len(of_child) + (np.arange(m) if apart else np.zeros(m, np.int64)))
        row.append(first_row[place] + np.arange(fan_in[place]))
        if apart:
            gene_row.append(first_row[place] + fan_in[place] + np.tile(np.arange(embedded), m))
        else:
            gene_row.append(first_row[place] + fan_in[place] + np.arange(m * embedded))
        if attends[place]:
            token, start = int(first_token[place]), before
            for width in of_child.tolist():
                segments.append((token, start, width))
                token, start = token + 1, start + width
            start, width = before_gene, own.widths[-1]
            for _ in range(own.genes):
                segments.append((token, start, width))
                token, start = token + 1, start + width
            of_kind = np.minimum(np.arange(own.count), len(own.widths) - 1)
            kind[first_token[place] : first_token[place] + own.count] = first_kind[place] + of_kind
        before, before_gene = before + int(fan_in[place]), before_gene + m * embedded
    none = np.empty(0, dtype=np.int64)
    token_in_term = np.concatenate([none, *in_term])
    genes_in_term = np.concatenate([none, *gene_in_term])
    term_of_input = np.concatenate(
        [np.repeat(np.arange(n), fan_in), np.repeat(np.arange(n), genes * embedded)]
    )
    local = np.concatenate([token_in_term, np.repeat(genes_in_term, embedded)])
    with_attention = attends[term_of_input]
    last_row = int(inputs.sum())
    return TokenTables(
        term_of_input=_tensor(term_of_input, device),
        token_of_input=_tensor(
            np.where(with_attention, first_token[term_of_input] + local, count), device
        ),
        row_of_input=_tensor(
            np.where(with_attention, np.concatenate([none, *row, *gene_row]), last_row), device
        ),
        row_of_token=_tensor(kind, device),
        inputs_of_tokens=_segments(segments, len(term_of_input), group.width, device),
        token_in_term=_tensor(token_in_term, device),
        gene_in_term=_tensor(genes_in_term, device),
        buckets=buckets,
        rows=slice(rows, rows + last_row),
        tokens=slice(of_tokens, of_tokens + int(kinds.sum())),
        count=count,
        bucket_of_term=bucket_of_term,
        place_of_term=place_of_term,
    )


def _segments(
    segments: Sequence[tuple[int, int, int]], inputs: int, area: int, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    token, first, width = np.array(segments, dtype=np.int64).reshape(-1, 3).T
    found = []
    for own, size in padded(width, area):
        places = _padded_ranges(first[own], width[own], size, inputs)
        found.append((_tensor(token[own], device), _tensor(places, device)))
    return found


def _padded_size(count: int) -> int:
    """The next power of two up to `FEW`; a mask takes out what is too much, more costs more."""
    return 1 << (count - 1).bit_length() if 0 < count <= FEW else count


def _ranges(first: IntArray, counts: IntArray) -> IntArray:
    """Each `first … first + count − 1`, one after the other."""
    before = np.cumsum(counts) - counts
    return np.repeat(first - before, counts) + np.arange(int(counts.sum()))


def _padded_ranges(first: IntArray, counts: IntArray, size: int, beyond: int) -> IntArray:
    """The same, each padded to a size."""
    within = np.arange(size)
    places = np.where(within < counts[:, None], first[:, None] + within, beyond)
    return np.asarray(places.reshape(-1))


def _tensor(values: IntArray, device: torch.device) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(values), device=device)
