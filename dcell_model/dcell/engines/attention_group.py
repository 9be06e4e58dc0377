"""The terms of one group with attention: from their children's outputs to their own.

The equations are those of `dcell_model.dcell.attention`, for the wild type and for each entry. A
token that a deletion does not touch is the wild type's; projections are linear, so that of an entry
only what its touched tokens differ by is projected. The softmax is taken anew over all tokens of
each entry, as all of them attend to those that differ. All is differentiable.

Shapes: of a group, n terms, w width, X inputs, P (term, gene) pairs, J tokens, N entries, F tokens
of entries; A attention width, E embedding width (1 without); of a run of edges, E' edges of b
places, v child width.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from data_specs.parameters import Model as ModelConfig
from dcell_model.dcell.activations import ACTIVATIONS
from dcell_model.dcell.engines.edges import Run
from dcell_model.dcell.engines.processes import sum_everywhere
from dcell_model.dcell.engines.token_tables import Placed, PlacedBucket, TokenTables
from dcell_model.dcell.engines.walk import Entries
from dcell_model.dcell.layout import NORM_EPS
from dcell_model.dcell.tensor_fields import TensorFields


@dataclass(slots=True)
class GroupTensors(TensorFields):
    """What a group's outputs are differentiated with respect to; what a model lacks is empty.

    Attributes:
        child, gene: `[Σ fan_in, w]` and `[P, w, E]` weights of the linear layer.
        embedding: `[P, E]` of each pair's gene; ones without.
        bias, second_bias, norm, norm_bias: `[n, w]`.
        second: `[n, w, w]`.
        head, head_bias: `[n, w, P]` and `[n, P]`, of P phenotypes.
        into, token_bias, out: the group's parts of attention_in, attention_bias and attention_out.
        children: `[Σ fan_in]` outputs of the children's wild types.
        entries: `[Σ E' · b, v]` by run: differences of the children's entries, flat.
    """

    child: Tensor
    gene: Tensor
    embedding: Tensor
    bias: Tensor
    second: Tensor
    second_bias: Tensor
    norm: Tensor
    norm_bias: Tensor
    head: Tensor
    head_bias: Tensor
    into: Tensor
    token_bias: Tensor
    out: Tensor
    children: Tensor
    entries: Tensor


@dataclass(frozen=True, slots=True)
class GroupPass:
    """A group in one batch.

    Attributes:
        at, runs: its entries, and the edges that bring differences to them.
        tables, placed: its tokens, and those of its entries.
        config: of the model.
        count: `[N]` samples that share each entry, in the type of the weights.
        samples, everywhere: of the batch, and of the batches of all processes.
        mean, var: `[n, w]` running statistics in evaluation, None in training or without them.
        dtype: of products.
    """

    at: Entries
    runs: list[Run]
    tables: TokenTables
    placed: Placed
    config: ModelConfig
    count: Tensor
    samples: int
    everywhere: int
    mean: Tensor | None
    var: Tensor | None
    dtype: torch.dtype

    def outputs(self, own: GroupTensors) -> tuple[Tensor, ...]:
        """The terms' outputs.

        Returns:
            Wild type's outputs `[n, w]` and differences `[N, w]`, the same of the heads, `[n, P]`
            and `[N, P]`, and mean and variance `[n, w]` that batch norm took.
        """
        config, at = self.config, self.at
        act = ACTIVATIONS[config.activation].forward
        z_wt, d = self._first_layer(own)
        if config.layers == 2:
            y_wt = act(z_wt)
            y = act(d + at.each(z_wt)) - at.each(y_wt)
            z_wt = self._product(y_wt[:, None], own.second.transpose(1, 2))[:, 0] + own.second_bias
            d = self._by_term(y, own.second.transpose(1, 2))
        if config.norm_order == "act_norm":
            h_wt = act(z_wt)
            h = act(d + at.each(z_wt)) - at.each(h_wt)
            o_wt, D, mean, var = self._normalise(own, h_wt, h)
        else:
            h_wt, h, mean, var = self._normalise(own, z_wt, d)
            o_wt = act(h_wt)
            D = act(h + at.each(h_wt)) - at.each(o_wt)
        heads = (own.head * o_wt[:, :, None]).sum(1) + own.head_bias
        phenotypes = range(own.head.shape[2])
        parts = [(D * at.each(own.head[:, :, p])).sum(1) for p in phenotypes]
        return o_wt, D, heads, torch.stack(parts, 1), mean, var

    def _first_layer(self, own: GroupTensors) -> tuple[Tensor, Tensor]:
        """Pre-activations `[n, w]` of the wild type, and differences `[N, w]` of the entries."""
        at, tables, placed = self.at, self.tables, self.placed
        w, A = at.group.width, self.config.attention_width
        is_state = self.config.gene_input == "state"
        sign = -1 if is_state else 1
        pairs, embedded = own.embedding.shape
        gene = own.gene.transpose(1, 2).reshape(pairs * embedded, w)
        weights = torch.cat([own.child, gene])  # [X, w]
        x_wt = torch.cat([own.children, own.embedding.flatten() * float(is_state)])[:, None]
        z_wt = own.bias.index_add(0, tables.term_of_input, x_wt * weights)
        into = _with_zero(own.into).index_select(0, tables.row_of_input)  # [X, 3A]
        bias = _with_zero(own.token_bias).index_select(0, tables.row_of_token)  # [J, 3A]
        qkv_wt = _with_zero(bias).index_add(0, tables.token_of_input, x_wt * into)[:-1]

        both = torch.cat([weights, into], dim=1)  # one product for the linear layer and for tokens
        entries, places, found = [at.change_entry], [self._gene_tokens()], []
        rows = gene.new_empty(0, dtype=torch.int64).to(at.change_input.device)
        if len(at.change_input):
            first = at.change_input * embedded + len(own.child)
            rows = (first[:, None] + torch.arange(embedded, device=first.device)).flatten()
        rows_of = [rows, *(run.all_inputs for run in self.runs)]
        of_genes, *of_runs = _pick(both, rows_of)
        x = own.embedding.index_select(0, at.change_input)[:, :, None]
        of_changes = (of_genes.view(-1, embedded, w + 3 * A) * x).sum(1) * sign
        found.append(at.sized(of_changes))
        for run, D, own_weights in zip(self.runs, self._children(own), of_runs, strict=True):
            product = self._product(D, own_weights.view(run.edges, run.width, -1))
            found.append(product.flatten(0, 1))
            entry = (run.parent - at.rows.start).clamp(max=at.count)
            entries.append(entry)
            places.append(self._child_tokens(run, entry))
        changes = torch.cat(found)
        of_weights, of_tokens = changes.split([w, 3 * A], dim=1)
        if not tables.count:
            d = changes.new_zeros(at.count + 1, w)
            return z_wt, d.index_add(0, torch.cat(entries), of_weights)[:-1]
        qkv = changes.new_zeros(placed.count + 1, 3 * A)
        qkv = qkv.index_add(0, torch.cat(places), of_tokens)[:-1]
        qkv = qkv + qkv_wt.index_select(0, placed.source)
        from_entries, from_terms = self._attention(own, weights, qkv_wt, qkv, entries)
        terms = torch.cat([bucket.terms for bucket in tables.buckets])
        d = changes.new_zeros(at.count + 1, w)
        d = d.index_add(0, torch.cat(entries), torch.cat([of_weights, *from_entries]))
        return z_wt.index_add(0, terms, torch.cat(from_terms)), d[:-1]

    def _attention(
        self, own: GroupTensors, weights: Tensor, qkv_wt: Tensor, qkv: Tensor,
        entries: list[Tensor],
    ) -> tuple[list[Tensor], list[Tensor]]:  # fmt: skip
        """What attention adds to pre-activations, by run of entries, and by bucket of wild types.

        Puts the runs' entries at the end of `entries`.
        """
        A, w, buckets = self.config.attention_width, self.at.group.width, self.placed.buckets
        parts = zip(
            buckets,
            qkv_wt.split([len(own.bucket.terms) * own.bucket.size for own in buckets]),
            qkv.split([len(own.entries) * own.bucket.size for own in buckets]),
            self._from_tokens(own, weights).split(
                [len(own.bucket.terms) * own.bucket.size for own in buckets]
            ),
            strict=True,
        )
        from_entries, from_terms = [], []
        for placed, of_terms, of_entries, mixed in parts:
            bucket, numbers = placed.bucket, placed.bucket.size * A
            a_wt, a = self._attend(placed, of_terms, of_entries)
            matrix = mixed.view(len(bucket.terms), numbers, w)
            from_terms.append(self._product(a_wt[:, None], matrix)[:, 0])
            a = _with_zero(a - a_wt.index_select(0, placed.term))
            rows = _pick(a, [places for _, places, _ in placed.runs])
            matrices = _pick(matrix, [terms for terms, _, _ in placed.runs])
            for (terms, _, of_run), row, own_matrix in zip(
                placed.runs, rows, matrices, strict=True
            ):
                product = self._product(row.view(len(terms), -1, numbers), own_matrix)
                from_entries.append(product.flatten(0, 1))
                entries.append(of_run)
        return from_entries, from_terms

    def _children(self, own: GroupTensors) -> list[Tensor]:
        """By run, `[E', b, v]` differences of the children."""
        sizes = [run.edges * run.places * run.width for run in self.runs]
        parts = zip(own.entries.split(sizes), self.runs, strict=True)
        return [part.view(run.edges, run.places, -1) for part, run in parts]

    def _gene_tokens(self) -> Tensor:
        """`[changes]` tokens of the entries that deleted genes change directly."""
        begin = self.placed.begin.index_select(0, self.at.change_entry)
        token = self.tables.gene_in_term.index_select(0, self.at.change_input)
        return (begin + token).clamp(max=self.placed.count)

    def _child_tokens(self, run: Run, entry: Tensor) -> Tensor:
        """`[E' · b]` tokens of the entries that a run's children change."""
        token = self.tables.token_in_term.index_select(0, run.all_inputs[:: run.width])
        begin = self.placed.begin.index_select(0, entry)
        return (begin + token.repeat_interleave(run.places)).clamp(max=self.placed.count)

    def _from_tokens(self, own: GroupTensors, weights: Tensor) -> Tensor:
        """`[J, A, w]`: from a token's heads back to its width, and through the linear layer."""
        tables = self.tables
        out = _with_zero(own.out).index_select(0, tables.row_of_input)
        both = _with_zero(torch.cat([out, weights], dim=1))
        sizes = [out.shape[1], weights.shape[1]]
        picked = _pick(both, [inputs for _, inputs in tables.inputs_of_tokens])
        products = []
        for (token, _), rows in zip(tables.inputs_of_tokens, picked, strict=True):
            back, onward = rows.view(len(token), -1, sum(sizes)).split(sizes, dim=2)
            products.append(self._product(back.transpose(1, 2), onward))
        tokens = torch.cat([token for token, _ in tables.inputs_of_tokens])
        mixed = weights.new_zeros(tables.count, *sizes)
        return mixed.index_add(0, tokens, torch.cat(products))

    def _attend(self, own: PlacedBucket, qkv_wt: Tensor, qkv: Tensor) -> tuple[Tensor, Tensor]:
        """What the heads of a bucket give, wild types `[n, J · A]` and entries `[m, J · A]`."""
        bucket, heads, A = own.bucket, self.config.attention_heads, self.config.attention_width
        both = torch.cat([qkv_wt, qkv])
        q, k, v = both.view(-1, bucket.size, 3, heads, A // heads).permute(2, 0, 3, 1, 4)
        mask = None
        if bucket.real is not None:
            mask = torch.cat([bucket.real, bucket.real.index_select(0, own.term)])[:, None, None]
        mixed = F.scaled_dot_product_attention(q, k, v, mask).transpose(1, 2)
        mixed = mixed.reshape(-1, bucket.size * A)
        of_terms, of_entries = mixed.split([len(bucket.terms), len(own.entries)])
        return of_terms, of_entries

    def _normalise(
        self, own: GroupTensors, x_wt: Tensor, d: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """y_wt and D of the norm, and the mean and variance of batch norm."""
        at, none = self.at, x_wt.new_empty(0)
        if self.config.norm == "none":
            return x_wt, d, none, none
        if self.config.norm == "layer":
            shape = x_wt.shape[1:]
            y_wt = F.layer_norm(x_wt, shape, eps=NORM_EPS) * own.norm + own.norm_bias
            y = F.layer_norm(d + at.each(x_wt), shape, eps=NORM_EPS)
            y = y * at.each(own.norm) + at.each(own.norm_bias)
            return y_wt, y - at.each(y_wt), none, none
        if self.mean is not None and self.var is not None:
            scale = own.norm * (self.var + NORM_EPS).rsqrt()
            y_wt = (x_wt - self.mean) * scale + own.norm_bias
            return y_wt, d * at.each(scale), self.mean, self.var
        count = self.count[:, None]
        shift = self._mean(own, at.total(d * count))
        squares = at.total((d - at.each(shift)).square() * count)
        untouched = self.samples - at.total(count)
        var = self._mean(own, squares + untouched * shift.square())
        scale = own.norm * (var + NORM_EPS).rsqrt()
        return own.norm_bias - shift * scale, d * at.each(scale), x_wt + shift, var

    def _mean(self, own: GroupTensors, sums: Tensor) -> Tensor:
        """Means over the samples of all processes; each takes part in it backwards, too."""
        if self.samples == self.everywhere:
            return sums / self.samples
        return sum_everywhere(sums + 0 * own.norm) / self.everywhere

    def _by_term(self, x: Tensor, matrices: Tensor) -> Tensor:
        """`[N, w]`: the entries of every term times the term's own matrix."""
        runs, out = self.placed.by_term, x.new_zeros(len(x) + 1, matrices.shape[2])
        if not runs:
            return out[:-1]
        entries = [own for _, _, own in runs]
        rows = _pick(_with_zero(x), entries)
        picked = _pick(matrices, [terms for terms, _, _ in runs])
        products = [
            self._product(row.view(len(own), -1, x.shape[1]), own).flatten(0, 1)
            for row, own in zip(rows, picked, strict=True)
        ]
        return out.index_add(0, torch.cat(entries), torch.cat(products))[:-1]

    def _product(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.bmm(a.to(self.dtype), b.to(self.dtype)).to(a.dtype)


def _pick(table: Tensor, rows: list[Tensor]) -> list[Tensor]:
    """Rows of a table by set; backwards, all sets at once, as each would fill a table of zeros."""
    if not rows:
        return []
    sizes = [len(own) for own in rows]
    return list(table.index_select(0, torch.cat(rows)).split(sizes))


def _with_zero(table: Tensor) -> Tensor:
    """One more row, of zeros."""
    return torch.cat([table, table.new_zeros(1, *table.shape[1:])])
