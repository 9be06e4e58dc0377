"""How far a run has come, and when it has come to its end."""

import pytest

from dcell_model.train.state import TrainingState, in_words


def row(epoch: int, pearson: float | None, loss: float | None = 1.0) -> dict[str, object]:
    return {"epoch": epoch, "train_loss": 2.0, "val_loss": loss, "val_pearson": pearson,
            "seconds": 1.25, "lr": 0.1}  # fmt: skip


def test_the_best_epoch() -> None:
    state = TrainingState()
    values = (0.1, 0.3, 0.2)
    assert [state.finish_epoch(row(n, v), "pearson") for n, v in enumerate(values, 1)] == [
        True, True, False,
    ]  # fmt: skip
    assert state.best["epoch"] == 2
    assert TrainingState.of(state.to_checkpoint()) == state


def test_the_least_loss_is_the_best() -> None:
    state = TrainingState()
    assert [state.finish_epoch(row(n, 0, loss), "loss") for n, loss in ((1, 3.0), (2, 2.0))] == [
        True, True,
    ]  # fmt: skip


def test_without_validation_the_last_is_the_best() -> None:
    state = TrainingState()
    assert all(state.finish_epoch(row(n, None, None), "pearson") for n in (1, 2))


@pytest.mark.parametrize(
    ("epochs", "patience", "end"),
    [
        (4, None, ""), (3, None, "all 3 epochs are done"), (4, 2, ""),
        (4, 1, "stopped after 3 epochs by train.patience=1"),
    ],
)  # fmt: skip
def test_the_end(epochs: int, patience: int | None, end: str) -> None:
    state = TrainingState()
    assert state.end(epochs, patience) == ""
    for number, value in enumerate((0.1, 0.3, 0.2), 1):
        state.finish_epoch(row(number, value), "pearson")
    assert state.end(epochs, patience) == end


def test_an_epoch_in_words() -> None:
    line, short = in_words(row(3, 0.5), 40)
    assert line == "epoch  3 of 40: loss 2.0000, val loss 1.0000, val Pearson 0.500, 1.2 s"
    assert short == "epoch 3, val Pearson 0.500"
    assert "val loss –, val Pearson –" in in_words(row(3, None, None), 40)[0]
