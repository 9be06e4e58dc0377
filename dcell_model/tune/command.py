"""`dcell tune`: search the training recipe on a build, and say how much of the gain is noise.

All is decided on the validation part; no test sample is ever predicted. A search that was stopped,
or is to have more trials, goes on when it is called again on the same folder.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_specs.cell_graph import CellGraph
from data_specs.errors import InputError
from data_specs.files import replacing_folder, write_text
from data_specs.layout import DataLayout, require_kind, write_json
from data_specs.output_folders import taken
from data_specs.parameters import SECTIONS, Parameters, Values, changed
from data_specs.touching import warn_if_few_touch
from dcell_model.checkpoint import TRAINING
from dcell_model.dcell import with_norm_order
from dcell_model.machine import duration, provenance
from dcell_model.tune import folder, repeats
from dcell_model.tune import plots as tune_plots
from dcell_model.tune.folder import KIND, PARAMETERS, PLOTS, RECORD
from dcell_model.tune.lines import Lines
from dcell_model.tune.objective import Objective
from dcell_model.tune.repeats import Comparison
from dcell_model.tune.space import Space, in_words, values_of, with_values
from dcell_model.tune.study import Search
from dcell_model.tune.trial import OutOfTimeError, Trial, try_values

Say = Callable[[str], None]
TRIALS = 30
_LABELS = {repeats.DEFAULT: "before", repeats.BEST: "best"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When a search ends: at the first of these limits.

    Attributes:
        trials: that came to an end, those of earlier calls included; none: as many as time allows.
        minutes: of searching, those of earlier calls included; none: as long as it takes.
        repeats: trainings with other seeds afterwards, of two settings each; 0 for none.
    """

    trials: int | None = TRIALS
    minutes: float | None = None
    repeats: int = 3


def run(
    data: Path,
    out: Path,
    parameters: Parameters,
    space: Space,
    *,
    budget: Budget | None = None,
    seed: int = 0,
    command: Sequence[str] = (),
    overwrite: bool = False,
    say: Say = lambda line: print(line, flush=True),
) -> dict[str, Any]:
    """Search; write `parameters.yaml`, `tune.json` and plots into `out`.

    Args:
        data: folder of a build.
        out: folder of the tuning: new, empty, or of the same search begun before.
        parameters: fixed values, and the setting with which the best is compared.
        space: the parameters to search.
        budget: when it ends.
        seed: of the draws; weights and batches have `train.seed` in all trials.
        command: for the record.
        overwrite: begin anew where another search is, or the same.
        say: gets a line about every trial.

    Returns:
        The content of `tune.json`.

    Raises:
        InputError: another search is there, no validation part, or no trial came to its end.
    """
    budget = budget or Budget()
    require_kind(data, "build")
    layout = DataLayout(data)
    with taken(out, KIND, overwrite=overwrite, inputs=[data]):
        if "model.norm_order" in space:  # the setting from before is to be among the trials
            terms = CellGraph.read(layout.cell_graph).num_terms
            model = with_norm_order(parameters.model, terms)
            parameters = dataclasses.replace(parameters, model=model)
        objective = Objective.of(layout, parameters)
        description = folder.describe(layout, parameters, space, seed)
        folder.prepare(out, description, overwrite=overwrite)
        warn_if_few_touch(layout)
        before = values_of(parameters, space)
        for key in (key for key in space if before[key] not in space[key]):
            say(f"no trial has the setting from before: {key} is {in_words(before[key])}")
        search = Search(out / folder.JOURNAL, space, seed, before)
        _search(data, out, parameters, search, objective, budget, say)
        best = search.best
        if best is None:
            raise InputError(
                f"{out}: none of {len(search.trials)} trials was finished; give more --trials "
                "or --minutes, or search elsewhere"
            )
        _say_best(best, search, parameters, objective, say)
        compared = _repeat(data, out, parameters, best, objective, budget.repeats, say)
        record = {
            **folder.FORMAT,
            "command": " ".join(command),
            **_provenance(),
            "score": f"validation {objective.name}",
            "validation_samples": objective.samples,
            **{key: description[key] for key in ("search", "settings", "data", "seed")},
            "seconds": search.seconds,
            "best": best.to_json(),
            "default": before,
            "importances": search.importances(),
            "repeats": compared.to_json() if compared else None,
            "trials": [trial.to_json() for trial in search.trials],
        }
        _write(out, parameters, search, best, objective, record)
    return record


def _search(
    data: Path,
    out: Path,
    parameters: Parameters,
    search: Search,
    objective: Objective,
    budget: Budget,
    say: Say,
) -> None:
    """Train trials until the budget is spent."""
    lines = Lines(search.space, objective.name)
    if search.trials:
        best = search.best
        shown = f", the best so far {objective.name} {best.score:.4f}" if best else ""
        say(f"kept: {len(search.trials)} trials done{shown}")
    limit = budget.trials or folder.MOST_TRIALS
    end = None if budget.minutes is None else budget.minutes * 60
    began, before, headed = time.monotonic(), search.seconds, False

    def spent() -> float:
        return before + time.monotonic() - began

    while len(search.trials) < limit and (end is None or spent() < end):
        if not headed:
            headed = True
            for line in lines.header():
                say(line)
        asked = search.next()
        folder.keep_only(out, [asked.number], search.best.number if search.best else None)

        def watch(epoch: int, epochs: int, score: float, asked: Any = asked) -> None:
            asked.report(epoch, epochs, score)
            if end is not None and epoch < epochs and spent() >= end:
                raise OutOfTimeError

        try:
            trial = try_values(
                data, folder.trial_folder(out, asked.number), parameters, asked.values, objective,
                asked.number, watch,
            )  # fmt: skip
        except OutOfTimeError:
            say(f"the time is over in trial {asked.number}; with more --minutes it goes on there")
            break
        finally:
            search.seconds = spent()
        search.tell(asked, trial)
        for line in lines.of(trial, best=trial is search.best):
            say(line)
    best = search.best
    folder.keep_only(out, [len(search.trials) + 1], best.number if best else None)


def _say_best(
    best: Trial, search: Search, parameters: Parameters, objective: Objective, say: Say
) -> None:
    ends = [trial.ended for trial in search.trials]
    counted = ", ".join(f"{ends.count(end)} {end}" for end in dict.fromkeys(sorted(ends)))
    say(f"{len(ends)} trials ({counted}) in {duration(search.seconds)}")
    say(
        f"best: trial {best.number}, validation {objective.name} {best.score:.4f} "
        f"in epoch {best.best_epoch} of {best.epochs}"
    )
    default = values_of(parameters, search.space)
    width = max(map(len, search.space))
    for key, value in best.values.items():
        was = "as before" if value == default[key] else f"was {in_words(default[key])}"
        say(f"  {key:<{width}}  {in_words(value):<8}  {was}")


def _repeat(
    data: Path,
    out: Path,
    parameters: Parameters,
    best: Trial,
    objective: Objective,
    count: int,
    say: Say,
) -> Comparison | None:
    """Train the setting from before and the best one with other seeds, if they differ."""
    if best.values == values_of(parameters, list(best.values)):
        say("No trial was better than the setting from before.")
        return None
    if count == 0:
        return None
    settings = {repeats.DEFAULT: parameters,
                repeats.BEST: with_values(parameters, best.values)}  # fmt: skip
    scores: dict[str, list[float]] = {name: [] for name in settings}
    say(f"both again with {count} other seeds, validation {objective.name}:")
    for name, setting in settings.items():
        for number in range(1, count + 1):
            folder_of_repeat = out / "repeats" / f"{name}-{number:02}"
            score, kept = repeats.repeated(data, folder_of_repeat, setting, objective, number)
            scores[name].append(score)
            say(f"  {_LABELS[name]:<6}  {number} of {count}  {score:.4f}{'  (kept)' * kept}")
    for name, own_scores in scores.items():
        say(f"  {_LABELS[name]:<6}  {repeats.mean_and_sd(own_scores)}")
    compared = Comparison(scores[repeats.DEFAULT], scores[repeats.BEST])
    say(compared.verdict())
    if compared.gain < 0:
        say("Stay with the setting from before, or search nearer to it.")
    return compared


def _write(
    out: Path,
    parameters: Parameters,
    search: Search,
    best: Trial,
    objective: Objective,
    record: dict[str, Any],
) -> None:
    write_text(out / PARAMETERS, parameter_file(with_values(parameters, best.values), best,
                                                f"validation {objective.name}"))  # fmt: skip
    with replacing_folder(out / "plots", PLOTS) as plots:
        plots.mkdir()
        tune_plots.history(search.trials, best, plots / PLOTS[0], score=objective.name)
        tune_plots.slices(
            search.trials, best, plots / PLOTS[1], space=search.space, default=record["default"],
            importances=record["importances"], score=objective.name,
        )  # fmt: skip
    write_json(out / RECORD, record)


def parameter_file(parameters: Parameters, best: Trial, score: str) -> str:
    """A parameter file for `dcell train --parameters`: searched and fixed values.

    Of the sections that training reads only: builds have the others.
    """
    import yaml

    differing = changed(parameters)
    values: Values = {"preset": parameters.preset} if parameters.preset else {}
    searched = [key.split(".") for key in best.values]
    for section in (name for name in SECTIONS if name in TRAINING):
        setting = dict(differing.get(section, {}))
        for name in (key for part, key in searched if part == section):
            setting[name] = best.values[f"{section}.{name}"]
        if setting:
            values[section] = setting
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    return f"# By dcell tune: trial {best.number}, {score} {best.score:.4f}.\n{text}"


def _provenance() -> dict[str, Any]:
    import importlib.metadata

    record = provenance.record()
    record["versions"]["optuna"] = importlib.metadata.version("optuna")
    return record
