"""Stage `evaluate`: score a trained model beside the baselines, on the same split."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from torch import Tensor

from data_specs.chain import made_from_metadata
from data_specs.files import replacing_file, replacing_folder
from data_specs.layout import read_json, write_json
from data_specs.measurement_error import ceiling_in_build
from data_specs.parameters import Evaluate as EvaluateConfig
from data_specs.store import alleles_of
from data_specs.tables import ALLELES, PARTS, TEST
from dcell_model.baselines import column_of, read_predictions
from dcell_model.checkpoint import LEVEL, PLOTS, Calibration
from dcell_model.data import (
    MutantStateDataset,
    all_targets,
    read_parts,
    stored_phenotypes,
    usable_samples,
)
from dcell_model.evaluate import plots
from dcell_model.evaluate.headline import headline
from dcell_model.evaluate.ranking_scores import below, hits_found, lowest
from dcell_model.machine import one_thread
from dcell_model.models import title_of
from dcell_model.predict import open_run
from dcell_model.scores import part_scores

P_VALUE, HAVE_P_VALUES = "p_value", ("interaction", "raw_interaction")


def _interval(
    calibration: Calibration,
    predicted: npt.NDArray[np.float64],
    spread: Tensor,
    measured: npt.NDArray[np.float32],
) -> dict[str, Any] | None:
    """The first phenotype's interval, and the share of a test part that it covers.

    `half_width` is the mean one where it grows with the spread of an ensemble.
    """
    width = calibration.half_widths(LEVEL, spread).numpy()
    known = ~np.isnan(measured[:, 0])
    if not (known.any() and np.isfinite(width[known, 0]).all()):
        return None
    inside = np.abs(predicted[known, 0] - measured[known, 0]) <= width[known, 0]
    return {
        "level": LEVEL,
        "half_width": float(width[known, 0].mean()),
        "per_spread": float(calibration.per_spread[0]),
        "covered": float(inside.mean()),
    }


@one_thread()
def run(
    data: Path, trained: Path, baselines: Path, out: Path, config: EvaluateConfig | None = None
) -> dict[str, Any]:
    """Evaluate the best checkpoint of a run; write metrics, predictions and plots into `out`.

    Args:
        data: folder of the build.
        trained: folder of the run, with `checkpoint.pt` and `train.json`.
        baselines: their results as JSON, with the Parquet file beside it.
        out: gets `metrics.json`, `scores.json` (`headline`), `predictions.parquet` and `plots/`.
        config: defines hits; by default the lowest 5 % alone.

    Returns:
        The content of `metrics.json`.

    Raises:
        ArtefactError: the checkpoint, the store or the cell graph are of different hierarchies, or
            the baselines of other samples.
    """
    run = open_run(trained, data)
    record, layout, dataset = run.record(), run.layout, run.dataset
    numbers = read_parts(layout)
    targets = all_targets(dataset)
    used = usable_samples(targets, numbers)
    samples = np.sort(np.concatenate([used["train"], used["val"], used["test"]]))
    parts = numbers[samples]
    predicted = run.predict_samples(samples)
    predictions, spread = predicted.values.numpy(), predicted.spread
    targets = targets[samples]
    names = dataset.phenotypes
    others = read_predictions(baselines, samples, names)
    kind, test = run.kind, parts == TEST
    first = {name: values[test, 0] for name, values in {kind: predictions, **others}.items()}
    metrics = {
        "model": kind,
        **part_scores(predictions, targets, parts, names),
        "hits": _hits(dataset, samples[test], targets[test, 0], first, config or EvaluateConfig()),
        "members": len(run.members),
        "interval": _interval(run.calibration, predictions[test], spread[test], targets[test]),
        "ceiling": ceiling_in_build(layout, names[0]),
        "baselines": read_json(baselines),
        **{key: record[key] for key in (
            "samples", "parameters", "epochs", "best_epoch", "seconds_per_epoch",
            "engine", "device", "precision", "phenotypes", "fingerprint",
        )},
    }  # fmt: skip
    named = pa.DictionaryArray.from_arrays(parts, pa.array(PARTS)).cast(pa.string())
    columns: dict[str, Any] = {"sample": samples, "part": named}
    if (alleles := alleles_of(layout.store)) is not None:
        columns[ALLELES] = [alleles[sample] for sample in samples]
    for column, name in enumerate(names):
        columns[f"{name}_measured"] = targets[:, column]
        columns[f"{name}_predicted"] = predictions[:, column]
        if len(run.members) > 1:
            columns[f"{name}_spread"] = spread[:, column].numpy()
        for model_name, values in others.items():
            columns[column_of(name, model_name)] = values[:, column]
    with replacing_file(out / "predictions.parquet") as partial:
        origin = {"checkpoint": run.digest, "store": run.made_from["store"]}
        table = pa.table(columns).replace_schema_metadata(made_from_metadata(origin))
        pq.write_table(table, partial)
    with replacing_folder(out / "plots", PLOTS) as folder:
        folder.mkdir()
        plots.loss_curves(record["history"], folder / "loss.png", best_epoch=record["best_epoch"])
        plots.comparison(metrics, folder / "comparison.png")
        if test.any():
            plots.prediction_against_measurement(
                predictions[test, 0], targets[test, 0], metrics["test"],
                folder / "prediction.png", name=names[0], model=title_of(metrics["model"]),
                baselines={n: values[test, 0] for n, values in others.items() if n != "mean"},
            )  # fmt: skip
    shown = headline(
        predictions[:, 0], {name: values[:, 0] for name, values in others.items()}, targets[:, 0],
        parts, record["history"], record["best_epoch"],
    )  # fmt: skip
    write_json(out / "scores.json", shown)
    write_json(out / "metrics.json", metrics)
    return metrics


def _hits(
    dataset: MutantStateDataset,
    samples: npt.NDArray[np.int64],
    measured: npt.NDArray[np.float32],
    predictions: Mapping[str, npt.NDArray[Any]],
    config: EvaluateConfig,
) -> list[dict[str, Any]]:
    """How well each model finds the hits among samples `[n]`, one entry a rule."""
    rules = [lowest(measured)]
    if config.hit_below is not None:
        p_values = None
        if dataset.phenotypes[0] in HAVE_P_VALUES and P_VALUE in dataset.meta.phenotypes:
            p_values = stored_phenotypes(dataset, [P_VALUE])[samples, 0]
        rules.append(below(measured, config.hit_below, p_values, config.hit_p_below))
    return [hits_found(predictions, rule) for rule in rules]
