"""The network: flat parameters, engines that run them, heads and their loss."""

from dcell_model.dcell.attention import attend
from dcell_model.dcell.heads import root_of
from dcell_model.dcell.layout import SubsystemLayout, tensor_shapes
from dcell_model.dcell.loss import LossParts, dcell_loss, loss_parts
from dcell_model.dcell.model import DCell
from dcell_model.dcell.norm_statistics import take_statistics
from dcell_model.dcell.parameters import with_norm_order
from dcell_model.dcell.per_term import (
    Subsystem,
    check_term_shapes,
    export_subsystems,
    import_subsystems,
    split_by_term,
    term_shapes,
)

__all__ = [
    "DCell",
    "LossParts",
    "Subsystem",
    "SubsystemLayout",
    "attend",
    "check_term_shapes",
    "dcell_loss",
    "export_subsystems",
    "import_subsystems",
    "loss_parts",
    "root_of",
    "split_by_term",
    "take_statistics",
    "tensor_shapes",
    "term_shapes",
    "with_norm_order",
]
