"""The warning beside a control's results: its hierarchy is randomised."""

from collections.abc import Mapping
from typing import Any

from data_specs.layout import DataLayout, read_json

_KEPT = "terms keep their names and sizes"
# The pairs that a control switches, and the property that its terms lose.
_LOST = {
    "genes": ("annotations", f"{_KEPT}, but not their genes"),
    "terms": ("edges", f"{_KEPT}, but not their parents and children"),
}


def control_of(layout: DataLayout) -> dict[str, Any] | None:
    """The account of the control that a build is, as its cell graph has it; None if it is none."""
    path = layout.cell_graph / "ledger.json"
    account: dict[str, Any] | None = read_json(path).get("control") if path.is_file() else None
    return account


def randomised(control: Mapping[str, Any] | None) -> str | None:
    """A warning about results on a control, from its account; None for a hierarchy as it is.

    Args:
        control: `control` of the ledger: which, its seed, and how many of how many pairs moved.
    """
    if not control or not control["moved"]:
        return None
    pairs, lost = _LOST[control["control"]]
    return (
        f"this hierarchy is randomised (control {control['control']}, seed {control['seed']}: "
        f"{control['moved'] / control['pairs']:.1%} of {control['pairs']:,} {pairs} moved). Its "
        f"{lost}: no subsystem means anything biological."
    )
