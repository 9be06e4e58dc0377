"""Only what the deletions touch: by the pass for a GPU or a CPU that suits, else in torch.

A model with attention has a pass of its own (`engines.attention_pass`).
"""

from torch import Tensor

from dcell_model.data import MutantStateBatch
from dcell_model.dcell.engines import attention_pass, columns_pass, native_pass, torch_pass
from dcell_model.dcell.heads import ColumnHeads
from dcell_model.dcell.parameters import DCellParameters

PASSES = {"native": native_pass.forward, "torch": torch_pass.forward}  # on a CPU


def forward(model: DCellParameters, batch: MutantStateBatch) -> ColumnHeads:
    """Predictions of all heads, as the wild type's and the differences from it."""
    if attention_pass.suits(model):
        return attention_pass.forward(model, batch)
    if native_pass.suits(model):
        return native_pass.forward(model, batch)
    if columns_pass.suits(model, batch):
        return columns_pass.forward(model, batch)
    return torch_pass.forward(model, batch)


def forward_with_states(
    model: DCellParameters, batch: MutantStateBatch
) -> tuple[ColumnHeads, Tensor]:
    """The same, and how far the neurons of every entry are from the wild type's.

    Returns:
        Heads, and `[N]` the root mean square of each entry's differences.
    """
    if attention_pass.suits(model):
        heads, changes = attention_pass.forward_with_states(model, batch)
    elif native_pass.suits(model):
        heads, changes = native_pass.forward_with_states(model, batch)
    elif columns_pass.suits(model, batch):
        heads, changes = columns_pass.forward_with_states(model, batch)
    else:
        heads, changes = torch_pass.forward_with_states(model, batch)
    return heads, changes.index_select(0, heads.column)
