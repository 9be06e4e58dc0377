"""The results of the stage: scores, choices and predictions of every baseline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from data_specs.errors import ArtefactError
from data_specs.files import replacing_file
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.parameters import Parameters
from data_specs.tables import EXCLUDED
from dcell_model.baselines.fitting import fit_baselines
from dcell_model.baselines.samples import Floats, multi_hot, read_samples
from dcell_model.scores import part_scores


def column_of(phenotype: str, name: str) -> str:
    """The column for the predictions of a phenotype by a model."""
    return f"{phenotype}_{name}"


def run(data: Path, target: Path, parameters: Parameters) -> dict[str, Any]:
    """Fit the baselines on the build in `data`, on the samples that DCell trains on.

    What each predicts goes beside the JSON file `target`, into the Parquet file of the same name.

    Returns:
        The content of `target`: for every baseline its scores by part, its seconds, and its
        chosen setting.

    Raises:
        InputError: a part without samples.
    """
    dataset, targets, parts = read_samples(DataLayout(data), parameters)
    fitted = fit_baselines(
        multi_hot(dataset), targets, parts, parameters.baselines,
        calibrate=parameters.train.calibrate,
    )  # fmt: skip
    used = np.flatnonzero(parts != EXCLUDED)
    columns = {"sample": used}
    for name, baseline in fitted.items():
        for column, phenotype in enumerate(dataset.phenotypes):
            columns[column_of(phenotype, name)] = baseline.predictions[used, column]
    with replacing_file(target.with_suffix(".parquet")) as partial:
        pq.write_table(pa.table(columns), partial)
    result: dict[str, Any] = {
        name: {
            **part_scores(baseline.predictions, targets, parts, dataset.phenotypes),
            **baseline.chosen,
            "seconds": baseline.seconds,
        }
        for name, baseline in fitted.items()
    }
    write_json(target, result)
    return result


def read_predictions(
    target: Path, samples: npt.NDArray[np.int64], phenotypes: Sequence[str]
) -> dict[str, Floats]:
    """The predictions of the baselines for samples, `[n, P]` by name, as `run` wrote them.

    Args:
        target: the JSON file that `run` wrote.
        samples: all that are in a part, sorted.
        phenotypes: P names.

    Raises:
        ArtefactError: missing, not readable, or of other samples or phenotypes.
    """
    path, names = target.with_suffix(".parquet"), list(read_json(target))
    if not names:
        return {}
    columns = {name: [column_of(phenotype, name) for phenotype in phenotypes] for name in names}
    try:
        table = pq.read_table(path)
        same = np.array_equal(table["sample"].to_numpy(), samples)
        predicted = {name: np.stack([table[entry].to_numpy() for entry in columns[name]], axis=1)
                     for name in names}  # fmt: skip
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ArtefactError(f"{path}: {error}. Fit the baselines again.") from None
    if not same:
        raise ArtefactError(f"{path}: fitted on other samples. Fit the baselines again.")
    return predicted
