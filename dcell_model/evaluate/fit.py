"""What a run with `train.overfit` shows: how well it fits its few batches, epoch by epoch."""

from collections.abc import Iterator
from pathlib import Path

from data_specs.errors import ArtefactError
from data_specs.files import replacing_folder
from data_specs.layout import read_json
from data_specs.terminal import printable
from dcell_model.checkpoint import FIT, PLOTS, RECORD
from dcell_model.evaluate import plots
from dcell_model.scores import in_words, scores


def show_fit(folder: Path) -> Iterator[str]:
    """Draw `plots/loss.png` and `plots/overfit.png` of a run, and say in lines what they show.

    Args:
        folder: of a finished run with `train.overfit`.

    Raises:
        ArtefactError: it has no table of predictions by epoch, or a damaged one.
    """
    import polars as pl

    record, path = read_json(folder / RECORD), folder / FIT
    try:
        table = pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtefactError(f"{path}: {error}. Train again.") from error
    by_epoch = {
        int(rows["epoch"][0]): tuple(
            rows[name].to_numpy(writable=True) for name in ("predicted", "measured")
        )
        for rows in table.partition_by("epoch", maintain_order=True)
    }
    scored = {epoch: scores(*values) for epoch, values in by_epoch.items()}
    (first, (predicted, measured)), *later = by_epoch.items()
    name = record["phenotypes"][0]
    with replacing_folder(folder / "plots", PLOTS) as new:
        new.mkdir()
        plots.loss_curves(record["history"], new / "loss.png", best_epoch=record["best_epoch"])
        plots.prediction_against_measurement(
            predicted, measured, scored[first], new / "overfit.png", name=name,
            model=f"epoch {first}",
            baselines={f"epoch {epoch}": values for epoch, (values, _) in later},
        )  # fmt: skip
    yield f"{printable(name)} of the {len(measured):,} genotypes that the model was fitted to:"
    for epoch, found in scored.items():
        pearson, r2 = in_words(found["pearson"]), in_words(found["r2"])
        yield f"  epoch {epoch:>5}: Pearson {pearson}, R² {r2}"
    begun, ended = (record["history"][epoch]["train_root"] for epoch in (0, -1))
    yield f"The root's part of the training loss went from {begun:.3g} to {ended:.3g}."
    yield (
        "A model that can learn brings it near to 0 within some hundred epochs (train.epochs), and "
        "comes\nnear to a Pearson of 1. Of other genotypes this says nothing."
    )
    yield from (str(folder / "plots" / image) for image in ("loss.png", "overfit.png"))
