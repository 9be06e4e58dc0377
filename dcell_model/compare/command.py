"""`dcell compare`: models on the same splits of one build, with several seeds each.

A split is made by the pipeline beforehand (`dcell-data split`), since data flow one way; here each
is only read. A seed decides the split, the weights that a model starts from, and the order of its
batches. What is done is kept: every run has a folder of its own with its result, and a training
that was stopped goes on where it was.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from data_specs.chain import digest_of
from data_specs.errors import InputError
from data_specs.files import replacing_file
from data_specs.layout import MARKERS, DataLayout, read_json, write_json
from data_specs.measurement_error import ceiling_in_build
from data_specs.output_folders import FolderKind, taken
from data_specs.parameters import Parameters, changed
from data_specs.tables import PARTS, TEST
from data_specs.touching import warn_if_few_touch
from dcell_model import checkpoint, train
from dcell_model.baselines import BASELINES, fit_baselines, multi_hot, read_samples
from dcell_model.checkpoint import flat, lasts_of, refuse_difference
from dcell_model.compare.models import layout_of, record_of, require_controls, require_known
from dcell_model.compare.paired import against_controls, difference
from dcell_model.data import target_names
from dcell_model.machine import provenance
from dcell_model.models import MODELS
from dcell_model.predict import open_run
from dcell_model.scores import in_words, scores
from dcell_model.train import refuse_changes, refuse_overfit

MARKER = MARKERS["comparison"]
FORMAT = {"format": "dcell-comparison", "version": 1}
# Finished work is kept: no entry is replaced that would need --overwrite.
KIND = FolderKind(
    "comparison", ("comparison.json", "comparison.parquet", MARKER), (), MARKER, FORMAT
)
SCORES = ("pearson", "spearman", "mse", "r2")
Result = dict[str, Any]


def run(
    data: Path,
    out: Path,
    parameters: Parameters,
    *,
    methods: Sequence[str],
    seeds: Sequence[int],
    models: Sequence[str],
    command: Sequence[str] = (),
    progress: Callable[[str], None] = lambda line: print(line, flush=True),
) -> Result:
    """Train every model on every split; write `comparison.json` and `comparison.parquet`.

    Args:
        data: folder of a build, with the splits `METHOD-SEED` in `splits/`.
        out: folder of the comparison: new, empty, or of the same comparison begun before.
        parameters: of all runs; `train.model`, `train.seed` and `baselines.seed` are set here.
        methods: of the splits.
        seeds: one a split and run.
        models: names, `dcell_model.compare.models.known`; the others' differences are to the
            first.
        command: for the record.
        progress: gets a line about every run.

    Returns:
        The content of `comparison.json`: provenance, `runs`, their `summary`, `controls` with
        DCell's lead over each, and the `ceiling` that measurements set, if it is known.

    Raises:
        InputError: a split or control is missing, or a run in `out` was made with other parameters
            or data.
    """
    require_known(models)
    refuse_overfit(parameters.train, "dcell compare")
    splits = [(method, seed) for method in methods for seed in seeds]
    with taken(out, KIND, overwrite=False):
        _require_splits(data, methods, seeds)
        require_controls(data, methods, seeds, models)
        write_json(out / MARKER, FORMAT)
        warn_if_few_touch(DataLayout(data))
        return _run(data, out, parameters, splits, models, command, progress)


def _run(
    data: Path,
    out: Path,
    parameters: Parameters,
    splits: Sequence[tuple[str, int]],
    models: Sequence[str],
    command: Sequence[str],
    progress: Callable[[str], None],
) -> Result:
    runs = []
    for method, seed in splits:
        for model in models:
            result, kept = _one(data, out, parameters, method, seed, model)
            runs.append(result)
            progress(f"{method}-{seed}  {model:<11} {_told(result)}{'  (kept)' if kept else ''}")
    layout = DataLayout(data)
    record = {
        "command": " ".join(command),
        **provenance.record(),
        "parameters": changed(parameters),
        "summary": list(summarise(runs)),
        "controls": list(against_controls(runs)),
        "ceiling": ceiling_in_build(layout, target_names(layout, parameters.train)[0]),
        "runs": [{k: v for k, v in result.items() if k != "made_with"} for result in runs],
    }
    write_json(out / "comparison.json", record)
    with replacing_file(out / "comparison.parquet") as partial:
        pq.write_table(table_of(runs), partial)
    return record


def _require_splits(data: Path, methods: Sequence[str], seeds: Sequence[int]) -> None:
    folder = DataLayout(data).splits
    names = [f"{method}-{seed}" for method in methods for seed in seeds]
    missing = [name for name in names if not (folder / name / "split.parquet").is_file()]
    if missing:
        raise InputError(
            f"{folder}: no splits {', '.join(missing)}; make them with: dcell-data split {data} "
            f"--methods {' '.join(methods)} --seeds {' '.join(map(str, seeds))}"
        )


def _one(
    data: Path, out: Path, parameters: Parameters, method: str, seed: int, model: str
) -> tuple[Result, bool]:
    """The result of one run, and whether it was there already."""
    layout = layout_of(data, model, method, seed)
    folder = out / f"{method}-{seed}" / model.replace(":", "-")
    trained_with = replace(
        parameters,
        train=replace(parameters.train, seed=seed),
        baselines=replace(parameters.baselines, seed=seed),
    )
    kind, _, control = model.partition(":")
    if kind in MODELS:
        trained_with = replace(trained_with, train=replace(trained_with.train, model=kind))
    if control:  # for the record: the control is built
        hierarchy = replace(trained_with.hierarchy, control=control, control_seed=seed)  # type: ignore[arg-type]
        trained_with = replace(trained_with, hierarchy=hierarchy)
    made_with = _made_with(layout, trained_with, model)
    path = folder / "result.json"
    if path.is_file():
        found: Result = read_json(path)
        refuse_difference(
            found["made_with"], made_with, f"{path}: was made with",
            "name another folder, or remove that result",
        )  # fmt: skip
        return found, True
    measure = _baseline if model in BASELINES else _trained
    result = {
        "split": method, "seed": seed, "model": model,
        **measure(layout, folder, trained_with, model), "made_with": made_with,
    }  # fmt: skip
    write_json(path, result)
    return result, False


def _made_with(layout: DataLayout, parameters: Parameters, model: str) -> dict[str, Any]:
    """The values on which a result depends, flat, as JSON gives them back."""
    record = record_of(model)
    digests = {name: digest_of(layout, name) for name in record.made_from}
    return flat(record.sections(parameters)) | digests


def _trained(layout: DataLayout, folder: Path, parameters: Parameters, _: str) -> Result:
    """Train, and score the best epoch on the test part."""
    begun = lasts_of(folder)
    if begun:  # compared runs were trained alike from the first epoch on
        begun_with = checkpoint.load(begun[0])["parameters"]
        refuse_changes(begun_with, parameters, begun[0], longer=False)
    record = train.run(
        layout.root, folder, parameters, resume=bool(begun), split=layout.other_split, lines=False
    )
    _dataset, targets, parts = read_samples(layout, parameters)
    test = np.flatnonzero(parts == TEST)
    run = open_run(folder, layout.root, split=layout.other_split)
    predicted = run.predict_samples(test).values.numpy()
    seconds = sum(row["seconds"] for row in record["history"])
    seconds += record.get("pretraining", {}).get("seconds", 0.0)
    return {
        **_scored(predicted[:, 0], targets[test, 0], parts),
        "seconds": round(seconds, 2),
        "parameters": record["parameters"],
        "chosen": {"epoch": record["best_epoch"], "of": record["epochs"]},
    }


def _baseline(layout: DataLayout, _: Path, parameters: Parameters, name: str) -> Result:
    """Fit a baseline, and score it on the test part."""
    dataset, targets, parts = read_samples(layout, parameters)
    genotypes = multi_hot(dataset)
    calibrate = parameters.train.calibrate
    fitted = fit_baselines(
        genotypes, targets, parts, parameters.baselines, [name], calibrate=calibrate
    )[name]
    test = parts == TEST
    return {
        **_scored(fitted.predictions[test, 0], targets[test, 0], parts),
        "seconds": fitted.seconds,
        "parameters": fitted.parameters,
        "chosen": fitted.chosen,
    }


def _scored(
    predicted: npt.NDArray[Any], measured: npt.NDArray[Any], parts: npt.NDArray[np.uint8]
) -> Result:
    counted = {part: int((parts == index).sum()) for index, part in enumerate(PARTS)}
    return {**scores(predicted, measured), "samples": counted}


def _told(result: Result) -> str:
    return f"Pearson {in_words(result['pearson'])}, {result['seconds']:.1f} s"


def summarise(runs: Sequence[Result]) -> Iterator[dict[str, Any]]:
    """Mean and sample standard deviation over the seeds, for every split method and model.

    A value that is not defined for some seed makes the mean undefined (None); a single seed has no
    standard deviation. Every model but the first has its differences `to` that
    (`dcell_model.compare.paired.difference`).
    """
    first = runs[0]["model"] if runs else None
    for method in dict.fromkeys(result["split"] for result in runs):
        for model in dict.fromkeys(result["model"] for result in runs):
            runs_of_model = [r for r in runs if (r["split"], r["model"]) == (method, model)]
            if not runs_of_model:
                continue
            row: dict[str, Any] = {"split": method, "model": model, "seeds": len(runs_of_model)}
            for key in (*SCORES, "seconds", "parameters"):
                values = [r[key] for r in runs_of_model]
                known = None not in values
                row[key] = float(np.mean(values)) if known else None
                spread = known and len(values) > 1
                row[f"{key}_sd"] = float(np.std(values, ddof=1)) if spread else None
            if model != first:
                row |= {"to": first, **difference(runs, method, model, str(first))}
            row["test"] = round(float(np.mean([r["samples"]["test"] for r in runs_of_model])))
            yield row


def table_of(runs: Sequence[Result]) -> pa.Table:
    """One row a run: split, seed, model, the scores on the test part, seconds, parameters."""
    schema = pa.schema(
        [("split", pa.string()), ("seed", pa.int64()), ("model", pa.string()),
         *((score, pa.float64()) for score in SCORES), ("seconds", pa.float64()),
         ("parameters", pa.int64()), ("test_samples", pa.int64())]
    )  # fmt: skip
    rows = [{**result, "test_samples": result["samples"]["test"]} for result in runs]
    return pa.Table.from_pylist([{n: row[n] for n in schema.names} for row in rows], schema=schema)
