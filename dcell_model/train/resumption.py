"""How a stopped run goes on: its parameters, and the messages about it."""

import contextlib
import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_specs.interruption import interrupted_with
from data_specs.parameters import Parameters, Values, override, params_of_stages, resolve
from dcell_model import checkpoint
from dcell_model.checkpoint import flat, lasts_of, refuse_difference, trained_sections
from dcell_model.models import record_of
from dcell_model.train.parameters import (
    refuse_for_training,
    refuse_of_other_model,
    training_parameters,
)
from dcell_model.train.schedule import rate_after
from dcell_model.train.state import TrainingState

# Parameters that may change between a stop and its resumption without changing results.
FREE = {
    "train.patience", "train.device", "train.num_workers", "train.checkpoint_steps",
    "train.members",
}  # fmt: skip

# Keys that came later, with the value that was the only one before.
_BEFORE = {"norm_samples": 0, "warmup": 0.0, "calibrate": False, "weights": "none"}


def parameters_of(
    data: Path,
    out: Path,
    assignments: Sequence[str] = (),
    *,
    params: Path | None = None,
    resume: bool = False,
    where: str,
) -> tuple[Parameters, list[str]]:
    """The parameters of a training: those of the build, or of the run if it is resumed.

    Of a resumed run, what is given is refused later where it may not change (`refuse_changes`).

    Args:
        data: folder of the build.
        out: folder of the run.
        assignments: `section.key=value` and `preset=name`, over all others.
        params: a file in place of the build's parameters; a resumed run must match it.
        resume: whether the run goes on.
        where: the name of the command in messages.

    Returns:
        The parameters, and notes for the user.

    Raises:
        ParameterError: an unknown parameter or value, or one that belongs to the build.
        ArtefactError: a damaged checkpoint.
    """
    begun = lasts_of(out)
    if not resume or not begun:
        parameters, notes = training_parameters(data, assignments, params=params, where=where)
        refuse_of_other_model(assignments, parameters.train.model)
        return parameters, notes
    if params is None and is_stage(data, out):
        params = params_of_stages(data)  # else DVC would record others than the run had
    saved = checkpoint.load(begun[0])  # of an ensemble the first has the seed of the run
    if params:
        parameters, notes = training_parameters(data, assignments, params=params, where=where)
    else:
        refuse_for_training(assignments, where)
        # Runs of earlier versions hold only what their model depends on.
        settings = json.loads(saved.get("settings") or "{}")
        typed = (text.removeprefix("preset=") for text in assignments if text.startswith("preset="))
        if next(typed, settings.get("preset")) == settings.get("preset"):
            # Settings omit the defaults of that time, which may differ from today's.
            settings |= _sections(saved["parameters"])
        parameters, notes = resolve(override(settings, assignments), where=where), []
        record_of(parameters.train.model, where)
    refuse_changes(saved["parameters"], parameters, begun[0])
    return parameters, [*notes, *_notes(out, saved, parameters)]


def is_stage(data: Path, out: Path) -> bool:
    """Whether the run is that of DVC's stage `train`."""
    params = params_of_stages(data)
    return params is not None and out.resolve() == params.parent / "results" / "train"


def refuse_changes(
    trained_with: str, parameters: Parameters, path: Path, *, longer: bool = True
) -> None:
    """Refuse to resume a run with other parameters than it began with.

    Args:
        trained_with: `trained_sections` as a checkpoint holds them, in JSON.
        parameters: those given now.
        path: of the checkpoint, for the message.
        longer: whether `train.epochs` may be raised under a cosine schedule, though the
            result differs from that of a run with as many epochs from the start.

    Raises:
        InputError: names the first parameter that differs.
    """
    before = flat(trained_sections(resolve(_sections(trained_with), where=str(path))))
    now = flat(trained_sections(parameters))
    constant = before["train.schedule"] == now["train.schedule"] == "constant"
    constant &= now["train.weight_decay"] is not None  # else it follows from the epochs
    raised = longer and now["train.epochs"] > before["train.epochs"]
    refuse_difference(
        before, now, f"{path}: was trained with",
        "a run is resumed with the parameters that it began with"
        + (" (train.epochs may be raised only)" if longer else ""),
        free=FREE | ({"train.epochs"} if constant or raised else set()),
    )  # fmt: skip


def _sections(trained_with: str) -> Values:
    """`trained_sections` in JSON; keys that came later have the value that was the only one."""
    given: Values = json.loads(trained_with)
    given["train"] = _BEFORE | given["train"]
    return given


def _notes(out: Path, saved: checkpoint.Checkpoint, parameters: Parameters) -> Iterator[str]:
    """Notes for the user before a run goes on."""
    state, config = TrainingState.of(saved), parameters.train
    before = json.loads(saved["parameters"])["train"]["epochs"]
    done = len(state.history)
    if config.epochs > before and config.schedule == "cosine":
        old, new = (rate_after(done / epochs, config) for epochs in (before, config.epochs))
        yield (
            f"train.epochs is {config.epochs}, it was {before}: from epoch {done + 1} on the "
            f"learning rate follows the longer cosine, {new:.2g} now in place of {old:.2g}; a run "
            f"of {config.epochs} epochs from the start would have ended elsewhere"
        )
    if config.epochs > before and config.schedule == "constant" and config.weight_decay is None:
        yield (
            f"train.epochs is {config.epochs}, it was {before}: train.decay is that of the longer "
            "run from here on, so a step decays less; set train.weight_decay to keep it as it was"
        )
    states = [TrainingState.of(checkpoint.load(path)) for path in lasts_of(out)]
    ends = [member_state.end(config.epochs, config.patience) for member_state in states]
    if all(ends) and len(ends) >= config.members:
        end = ends[-1]
        more = "patience" if done < config.epochs else "epochs"
        yield f"{out}: nothing is left to train: {end}. --set train.{more}=N trains on."


def saying_how_to_go_on(
    data: Path, out: Path, command: str
) -> contextlib.AbstractContextManager[None]:
    """If Ctrl-C or SIGTERM ends the training inside, print what is kept and how to go on.

    Args:
        data: folder of the build.
        out: folder of the run.
        command: the one that was called.
    """
    return interrupted_with(lambda: _kept(data, out, command))


def _kept(data: Path, out: Path, command: str) -> str:
    begun = lasts_of(out)
    if not begun:
        return f"interrupted; no epoch was finished, and nothing is kept in {out}"
    path = begun[-1]
    state = TrainingState.of(checkpoint.load(path))
    steps = f" and {state.under_way['steps']} steps" if state.under_way["steps"] else ""
    epochs = "1 epoch" if len(state.history) == 1 else f"{len(state.history)} epochs"
    kept = f"interrupted; {epochs}{steps} kept in {path}. To go on:\n  "
    if is_stage(data, out):  # `dvc repro` would remove the folder first
        return f"{kept}{command} --resume && dvc commit --force train && dvc repro"
    return f"{kept}{command} {shlex.join(['--data', str(data), '--out', str(out)])} --resume"
