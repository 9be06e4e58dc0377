"""One trial: a training run with some values, which may be given up before its end."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_specs.errors import InputError, ParameterError
from data_specs.parameters import Parameters
from dcell_model import checkpoint, train
from dcell_model.checkpoint import LAST
from dcell_model.train import DivergedError, Row, TrainingState, refuse_changes
from dcell_model.tune.objective import Objective
from dcell_model.tune.space import with_values

FINISHED, PRUNED, DIVERGED, REFUSED = "finished", "pruned", "diverged", "refused"
Watch = Callable[[Row], None]


class PrunedError(Exception):
    """The trial is worse than the others were at the same share of theirs."""


class OutOfTimeError(Exception):
    """No time is left; the trial goes on where it was, if the search does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The result of a trial.

    Attributes:
        number: counted from 1, over those that came to an end.
        values: by parameter.
        ended: `finished`, `pruned`, `diverged` (the loss was no number), or `refused` (the values
            do not go together).
        score: of the best epoch on the validation part; none without an epoch.
        best_epoch: its number.
        scores: of every epoch.
        epochs: that the values ask for.
        seconds: of the training, over all calls.
    """

    number: int
    values: dict[str, Any]
    ended: str
    score: float | None
    best_epoch: int | None
    scores: list[float]
    epochs: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As the record holds it."""
        return asdict(self)


def try_values(
    data: Path,
    folder: Path,
    parameters: Parameters,
    values: dict[str, Any],
    objective: Objective,
    number: int,
    watch: Callable[[int, int, float], None],
) -> Trial:
    """Train with some values in place of the parameters' own.

    Args:
        data: folder of a build.
        folder: of the run; one that was stopped goes on.
        parameters: all others.
        values: by parameter.
        objective: scores the epochs.
        number: of the trial.
        watch: gets number of epoch, of all epochs, and score; may raise `PrunedError`, or
            `OutOfTimeError`, which passes.
    """
    rows: list[Row] = []

    def after_epoch(row: Row) -> None:
        rows.append(row)
        watch(row["epoch"], trained_with.train.epochs, objective.score(row))

    trained_with, ended = parameters, FINISHED
    try:
        trained_with = with_values(parameters, values)
        train_in(data, folder, trained_with, after_epoch)
    except PrunedError:
        ended = PRUNED
    except DivergedError:
        ended = DIVERGED
    except ParameterError:
        ended = REFUSED
    epoch, score = objective.best(rows) or (None, None)
    return Trial(
        number=number,
        values=values,
        ended=ended,
        score=score,
        best_epoch=epoch,
        scores=[objective.score(row) for row in rows],
        epochs=trained_with.train.epochs,
        seconds=round(sum(row["seconds"] for row in rows), 2),
    )


def train_in(data: Path, folder: Path, parameters: Parameters, after_epoch: Watch) -> None:
    """Train in a folder; a run with the same parameters that was stopped there goes on.

    Args:
        data: folder of a build.
        folder: of the run.
        parameters: of the run.
        after_epoch: gets the rows of all epochs, those from before too.
    """
    done = _stopped(folder, parameters)
    for row in done or ():
        after_epoch(row)
    train.run(
        data, folder, parameters, resume=done is not None, overwrite=True, lines=False,
        after_epoch=after_epoch,
    )  # fmt: skip


def _stopped(folder: Path, parameters: Parameters) -> list[Row] | None:
    """The epochs of a run that can go on, or None."""
    if not (folder / LAST).is_file():
        return None
    saved = checkpoint.load(folder / LAST)
    try:
        refuse_changes(saved["parameters"], parameters, folder / LAST, longer=False)
    except InputError:
        return None
    return TrainingState.of(saved).history
