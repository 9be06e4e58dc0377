"""Self-attention over the inputs of one term, as plainly as it can be written.

Each token x_j (`dcell_model.dcell.tokens`) is projected to a query, a key and a value of
`model.attention_width` numbers; what the heads give is projected back to the token's own width and
added to it (Vaswani et al. 2017, arXiv:1706.03762, without its norm):

    [q_j ‖ k_j ‖ v_j] = A_j x_j + a_j
    x_j ← x_j + C_j ‖_heads Σ_i softmax_i(q_j · k_i / √(width / heads)) v_i

after which the linear layer of the term takes the tokens as its inputs I. Children differ in width
and have fixed places, so each has matrices of its own, which also tell it from the others; the
embedded genes of a term share theirs, since the embedding tells them apart.

Shapes: B samples, K neurons of the children, m direct genes, E embedding width, J tokens, A
attention width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from dcell_model.dcell.per_term import Subsystem
from dcell_model.dcell.tokens import TermTokens


def attend(own: Subsystem, tokens: TermTokens, inputs: Tensor, heads: int) -> Tensor:
    """Inputs `[B, K + m·max(1, E)]` of a term after attention; as they are without it."""
    if own.attention_in is None or own.attention_bias is None or own.attention_out is None:
        return inputs
    sizes = [*tokens.widths[: tokens.children]]
    sizes += [inputs.shape[1] - sum(sizes)] if tokens.genes else []
    parts = list(inputs.split(sizes, dim=1))
    if tokens.genes:
        parts[-1] = parts[-1].unflatten(1, (tokens.genes, -1))
    into = own.attention_in.split(tokens.widths, dim=1)
    projected = [
        F.linear(x, weight, bias) if x.dim() == 3 else F.linear(x, weight, bias)[:, None]
        for x, weight, bias in zip(parts, into, own.attention_bias, strict=True)
    ]
    q, k, v = torch.cat(projected, dim=1).unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)  # [B, J, A]
    of_tokens = mixed.split([1] * tokens.children + [tokens.genes] * bool(tokens.genes), dim=1)
    back = own.attention_out.split(tokens.widths, dim=0)
    out = [F.linear(x, w).flatten(1) for x, w in zip(of_tokens, back, strict=True)]
    return inputs + torch.cat(out, dim=1)
