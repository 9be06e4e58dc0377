"""How far a run has come: its epochs, the best of them, and the epoch under way."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from data_specs.errors import InputError
from dcell_model.machine import duration, restore_scaler, scaler_state

Row = dict[str, Any]
PARTS = ("train_root", "train_auxiliary", "train_penalty")  # of a row's `train_loss`


class DivergedError(InputError):
    """The training loss is no number any more."""

    def __init__(self, epoch: int, loss: float) -> None:
        super().__init__(
            f"epoch {epoch}: the training loss is {loss}; lower train.lr, set train.clip"
        )


@dataclass(slots=True)
class TrainingState:
    """The state of a run besides weights and optimizer, for its resumption.

    Attributes:
        history: a row for every finished epoch.
        best: number, value (higher is better) and checkpoint of the best epoch so far; 0 for none.
        under_way: steps done of the epoch under way, their loss and its parts so far, and their
            samples.
        preparation: the account of the work before the first epoch.
    """

    history: list[Row] = field(default_factory=list)
    best: dict[str, Any] = field(
        default_factory=lambda: {"epoch": 0, "value": -math.inf, "sha256": ""}
    )
    under_way: dict[str, Any] = field(default_factory=dict)
    preparation: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.under_way:
            self.begin_epoch()

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any], fabric: Any = None) -> "TrainingState":
        """As `last.pt` holds it; a fabric that is given gets its scaler of gradients."""
        if fabric is not None:
            restore_scaler(fabric, checkpoint.get("scaler", {}))
        names = ("history", "best", "under_way", "preparation")
        return cls(**{name: checkpoint.get(name, {}) for name in names})

    def to_checkpoint(self, fabric: Any = None) -> dict[str, Any]:
        """The entries of `last.pt`: with `train.precision=fp16` the scaler of gradients, too."""
        state = {} if fabric is None else scaler_state(fabric)
        scaler = {"scaler": state} if state else {}
        return {"best": self.best, "history": self.history, "under_way": self.under_way,
                "preparation": self.preparation, **scaler}  # fmt: skip

    def begin_epoch(self) -> None:
        """No step of an epoch is done."""
        self.under_way = {"steps": 0, "loss": 0.0, "parts": [0.0] * len(PARTS), "samples": 0}

    def losses(self) -> list[float]:
        """Sums over the samples of the epoch under way: of the loss, and of its `PARTS`.

        NaN where an earlier version, which did not know of parts, began the epoch.
        """
        unknown = [math.nan] * len(PARTS)
        return [self.under_way["loss"], *self.under_way.get("parts", unknown)]

    def finish_epoch(self, row: Row, select: str) -> bool:
        """Take the row of an epoch; whether it is the best so far.

        Without a validation part the last epoch is the best.
        """
        self.history.append(row)
        value = row["val_pearson"] if select == "pearson" else row["val_loss"]
        if value is not None and select == "loss":
            value = -value
        improved = value is None or value > self.best["value"]
        if improved:
            value = -math.inf if value is None else value
            self.best = {"epoch": row["epoch"], "value": value, "sha256": ""}  # until it is saved
        return improved

    def is_out_of_patience(self, patience: int | None) -> bool:
        """Whether so many epochs went by without a better one."""
        waited = len(self.history) - self.best["epoch"]
        return patience is not None and bool(self.history) and waited >= patience

    def end(self, epochs: int, patience: int | None) -> str:
        """In words, that there is no epoch left to train; empty if there is one."""
        done = len(self.history)
        if done >= epochs:
            return f"all {epochs} epochs are done"
        if self.is_out_of_patience(patience):
            return f"stopped after {done} epochs by train.patience={patience}"
        return ""


def in_words(row: Row, epochs: int) -> tuple[str, str]:
    """An epoch as a line, and in short."""
    values = (
        ("loss", row["train_loss"], ".4f"), ("val loss", row["val_loss"], ".4f"),
        ("val Pearson", row["val_pearson"], ".3f"),
    )  # fmt: skip
    shown = [
        f"{name} {'–' if value is None else format(value, form)}" for name, value, form in values
    ]
    label = f"epoch {row['epoch']:>{len(str(epochs))}}"
    line = f"{label} of {epochs}: {', '.join(shown)}, {duration(row['seconds'])}"
    return line, f"epoch {row['epoch']}, {shown[-1]}"
