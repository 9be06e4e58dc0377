"""`dcell report`: read a finished run and its build, and write the page."""

import base64
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from data_specs import chain
from data_specs.errors import ArtefactError
from data_specs.files import write_text
from data_specs.layout import DataLayout, read_json, require_kind
from data_specs.ledger_words import words
from data_specs.outputs import refuse_output_file
from data_specs.randomised import randomised
from data_specs.source_manifest import PROFILES
from dcell_model.baselines import column_of
from dcell_model.checkpoint import RECORD, ledger_of
from dcell_model.evaluate import plots, verdict
from dcell_model.explain import (
    Settings,
    TouchedStates,
    importances,
    reasons,
    strongest,
    table_of,
)
from dcell_model.machine import one_thread
from dcell_model.models import title_of
from dcell_model.predict import FloatArray, IntArray, Run, open_run
from dcell_model.report.account import strata, waterfalls
from dcell_model.report.examples import examples, pick
from dcell_model.report.page import render
from dcell_model.report.repeat import repetition
from dcell_model.scores import PART_NAMES

TERMS, MOST = 20, 2000  # subsystems shown, and samples that they are judged on
PERMUTATIONS = 1000


@one_thread()
def run(data: Path, folder: Path, out: Path) -> None:
    """Write the page of a run.

    Args:
        data: folder of the build.
        folder: of the run, evaluated: `metrics.json` and `predictions.parquet`, with the training
            in it, or in `train/` where DVC's stages put it.
        out: HTML file to write.

    Raises:
        ArtefactError: the run is not finished, damaged, or of another build.
        InputError: `out` is a folder.
    """
    refuse_output_file(out, suffix=".html", kind="page")
    require_kind(data, "build")
    require_kind(folder, "run")
    trained = chain.trained_folder(folder)
    metrics, record = read_json(folder / "metrics.json"), read_json(trained / RECORD)
    ledger = read_json(ledger_of(data, folder))
    if "settings" not in record:
        raise ArtefactError(
            f"{trained / RECORD}: written by an earlier version, which did not note the run's "
            f"settings. Train again (dcell train --data {data} --out RUN), or print its scores "
            f"(dcell summary --ledger {ledger_of(data, folder)} --run {folder})."
        )
    opened = open_run(trained, data)
    layout = opened.layout
    links = list(chain.chain(layout, folder))
    phenotype, part = opened.phenotypes[0], next(p for p in PART_NAMES if p in metrics)
    samples, measured, predicted = _predictions(folder, metrics, phenotype, part)
    name = title_of(metrics["model"])
    shown = {
        title: examples(opened.members, opened.dataset, samples[rows], measured[rows],
                        {each: values[rows] for each, values in predicted.items()},
                        has_subsystems=opened.has_subsystems)
        for title, rows in pick(measured, predicted[name]).items()
    }  # fmt: skip
    again = repetition(data, folder, record["settings"], record["commit"])
    html = render(
        name=name,
        phenotype=phenotype,
        part=part,
        metrics=metrics,
        randomised=randomised(ledger.get("control")),
        verdict=verdict(metrics),
        record=record,
        ledger=ledger,
        sources=_sources(layout),
        waterfalls=waterfalls(ledger),
        strata=strata(ledger),
        figures=_figures(metrics, record, measured, predicted, part, phenotype),
        subsystems=_subsystems(opened, samples, measured) if opened.has_subsystems else None,
        examples=shown,
        links=links,
        again=again,
    )
    write_text(out, html)


def _predictions(
    folder: Path, metrics: Mapping[str, Any], phenotype: str, part: str
) -> tuple[IntArray, FloatArray, dict[str, FloatArray]]:
    """Samples of a part, what was measured, and what each model predicts, the trained one first."""
    table = pq.read_table(folder / "predictions.parquet", filters=[("part", "==", part)])
    columns = {title_of(metrics["model"]): f"{phenotype}_predicted"}
    columns |= {name: column_of(phenotype, name) for name in metrics["baselines"]}
    missing = set(columns.values()) - set(table.column_names)
    if missing:
        raise ArtefactError(
            f"{folder / 'predictions.parquet'}: no column {min(missing)}; evaluated by an earlier "
            "version. Train again, or continue the run with --resume."
        )
    predicted = {name: table[column].to_numpy() for name, column in columns.items()}
    measured = table[f"{phenotype}_measured"].to_numpy().astype(np.float64)
    return table["sample"].to_numpy(), measured, predicted


def _sources(layout: DataLayout) -> dict[str, Any]:
    """The raw files with their roles, and the origin of a profile's files."""
    sources = read_json(layout.sources / "sources.json")
    roles: dict[str, str] = {}
    for role, paths in sources.items():
        for path in [paths] if isinstance(paths, str) else paths or []:
            if isinstance(path, str):
                roles.setdefault(path, words(role))
    public = {source.sha256: source for source in PROFILES.get(sources["profile"], ())}
    public.pop(None, None)  # moving releases: any file may be called like them
    files = [
        {**entry, "role": roles.get(entry["path"], ""), "public": public.get(entry["sha256"])}
        for entry in sources["inputs"]
    ]
    # Simulated data have invented terms under real-looking ids.
    simulated = any(str(entry["version"]).startswith("simulated/") for entry in files)
    return {"files": files, "real": not simulated}


def _figures(
    metrics: Mapping[str, Any],
    record: Mapping[str, Any],
    measured: FloatArray,
    predicted: Mapping[str, FloatArray],
    part: str,
    phenotype: str,
) -> dict[str, str]:
    """Drawings as `data:` addresses, by name."""
    name, predictions = next(iter(predicted.items()))
    others = {each: values for each, values in predicted.items() if each not in (name, "mean")}
    with tempfile.TemporaryDirectory() as folder:
        files = {key: Path(folder) / f"{key}.svg" for key in ("loss", "prediction")}
        plots.loss_curves(record["history"], files["loss"], best_epoch=record["best_epoch"])
        plots.prediction_against_measurement(
            predictions, measured, metrics[part], files["prediction"],
            name=phenotype, model=name, baselines=others,
        )  # fmt: skip
        return {
            key: f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode()}"
            for key, path in files.items()
        }


def _subsystems(run: Run, samples: IntArray, measured: FloatArray) -> dict[str, Any]:
    """The terms on which the predictions of a model with subsystems depend most."""
    known = np.flatnonzero(~np.isnan(measured))
    if len(known) > MOST:
        known = np.sort(np.random.default_rng(0).choice(known, MOST, replace=False))
    batch = run.dataset.batch(samples[known])
    states = [TouchedStates.of(member, batch) for member in run.with_subsystems()]
    settings = Settings(rlipp=False, permutations=PERMUTATIONS)
    terms = range(run.graph.num_terms)
    rows = importances(states, measured[known], run.scale_of(0), terms, settings)
    table = table_of(list(rows))
    return {
        "rows": strongest(table, TERMS),
        "samples": len(known),
        "all": len(measured),
        "judged": len(table) - sum(reasons(table).values()),
        "terms": len(table),
        "not_judged": reasons(table),
        "permutations": settings.permutations,
    }
