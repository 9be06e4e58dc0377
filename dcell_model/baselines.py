"""Stage `baselines`: the simple models that every result stands beside, on the same split.

A genotype is here no more than the set of its deleted genes (multi-hot, one column a gene):

- `mean` predicts the mean of the training part
- `ridge` adds up one effect a gene; its penalty is the one that does best on the validation part
- `mlp` is a plain network of two hidden layers, taken from the epoch that does best on it
"""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor, nn

from data_specs.errors import ArtefactError, InputError, exit_with_message
from data_specs.files import replacing_file
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.parameter_input import load
from data_specs.parameters import Baselines as BaselinesConfig
from data_specs.parameters import Parameters
from data_specs.tables import EXCLUDED, PARTS, TRAIN, VAL
from dcell_model.dataset import MutantStateDataset
from dcell_model.progress import progress
from dcell_model.scores import part_scores
from dcell_model.targets import all_targets, read_parts, target_names, usable_samples
from dcell_model.threads import one_thread

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
NAMES = ("mean", "ridge", "mlp")
Fit = tuple[Floats, int, dict[str, Any]]  # predictions, numbers fitted, what was chosen


@dataclass(frozen=True, slots=True)
class Baseline:
    """One fitted model.

    Attributes:
        predictions: `[N, P]` float64, for the samples of every part.
        parameters: numbers that were fitted.
        seconds: what fitting and predicting took.
        chosen: what the validation part decided.
    """

    predictions: Floats
    parameters: int
    seconds: float
    chosen: dict[str, Any]


def multi_hot(dataset: MutantStateDataset) -> "csr_array":
    """The deleted genes of all samples: `[N, genes]` float32, 1 where the gene is deleted.

    Columns are `dataset.gene_ids`: genes without annotation, which DCell cannot see, are there.
    """
    from scipy.sparse import csr_array

    blocks = [dataset.reader.block(number) for number in range(len(dataset.meta.blocks))]
    genes = np.concatenate([block.genes for block in blocks]).astype(np.int32)
    counts = np.concatenate([np.diff(block.gene_offsets) for block in blocks])
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    shape = (len(dataset), len(dataset.gene_ids))
    return csr_array((np.ones(len(genes), dtype=np.float32), genes, offsets), shape=shape)


def fit_baselines(
    genotypes: "csr_array",
    targets: npt.NDArray[Any],
    parts: npt.NDArray[np.uint8],
    config: BaselinesConfig,
    names: Sequence[str] = NAMES,
) -> dict[str, Baseline]:
    """Fit `mean`, `ridge` and `mlp` on the training part and predict all samples.

    Args:
        genotypes: `[N, genes]` multi-hot.
        targets: `[N, P]` or `[N]`, NaN where not measured: such samples are left out.
        parts: `[N]` numbers in `data_specs.tables.PARTS`.
        config: the penalties to choose from, size and epochs of the network, the seed.
        names: which to fit.

    Without a validation part, a tenth of the training part takes its place.

    Raises:
        InputError: a phenotype that no sample of the training or validation part has.
    """
    targets = targets.reshape(len(parts), -1).astype(np.float64)
    train, val = _train_and_val(parts, targets, config.seed)
    models = {
        "mean": lambda: fit_mean(targets, train),
        "ridge": lambda: fit_ridge(genotypes, targets, train, val, config),
        "mlp": lambda: fit_mlp(genotypes, targets, train, val, config),
    }
    fitted = {}
    for name in names:
        began = time.perf_counter()
        predictions, size, chosen = models[name]()
        fitted[name] = Baseline(predictions, size, round(time.perf_counter() - began, 2), chosen)
    return fitted


def _train_and_val(parts: npt.NDArray[np.uint8], targets: Floats, seed: int) -> tuple[Bools, Bools]:
    """Masks `[N]` of the samples to fit and of those to choose by."""
    train, val = parts == TRAIN, parts == VAL
    if not val.any():
        samples = np.random.default_rng(seed).permutation(np.flatnonzero(train))
        val[samples[: -(-len(samples) // 10)]] = True
        train &= ~val
    for part, inside in (("training", train), ("validation", val)):
        missing = np.isnan(targets[inside]).all(axis=0)
        if missing.any():
            raise InputError(
                f"phenotype {int(np.argmax(missing)) + 1} of {len(missing)} is not measured in "
                f"any of the {int(inside.sum())} samples of the {part} part; expected at least "
                "one. Choose other train.phenotypes, or split otherwise."
            )
    return train, val


def fit_mean(targets: Floats, train: Bools) -> Fit:
    """Predict the mean of the training part."""
    mean: Floats = np.nanmean(targets[train], axis=0)
    return np.tile(mean, (len(targets), 1)), len(mean), {}


def fit_ridge(
    genotypes: "csr_array", targets: Floats, train: Bools, val: Bools, config: BaselinesConfig
) -> Fit:
    """Fit additive effects of the genes to each phenotype; its penalty is chosen by MSE on `val`.

    Returns:
        Predictions, their number of parameters, and `alpha`: the penalty, or one a phenotype if
        there are several.
    """
    from sklearn.linear_model import Ridge

    predictions, alphas = np.empty_like(targets), []
    with progress("ridge", targets.shape[1] * len(config.ridge_alphas)) as shown:
        for column, target in enumerate(targets.T):
            known = ~np.isnan(target)
            fit, choose = np.flatnonzero(train & known), np.flatnonzero(val & known)
            ridges, errors = [], []
            for alpha in config.ridge_alphas:
                ridges.append(Ridge(alpha=alpha, tol=1e-6).fit(genotypes[fit], target[fit]))
                error = ridges[-1].predict(genotypes[choose]) - target[choose]
                errors.append(np.square(error).mean())
                shown.advance()
            best = ridges[int(np.argmin(errors))]
            predictions[:, column] = best.predict(genotypes)
            alphas.append(best.alpha)
    size = (genotypes.shape[1] + 1) * targets.shape[1]
    return predictions, size, {"alpha": alphas[0] if len(alphas) == 1 else alphas}


# They do well on simulated screens of 10,000 to 90,000 genotypes.
_BATCH, _LR, _WEIGHT_DECAY, _DROPOUT, _PATIENCE = 256, 1e-2, 0.3, 0.1, 10


def fit_mlp(
    genotypes: "csr_array", targets: Floats, train: Bools, val: Bools, config: BaselinesConfig
) -> Fit:
    """Train two hidden layers with AdamW on standardised targets; keep the epoch best on `val`.

    Returns:
        Predictions, their number of parameters, and `epoch`: the one that was kept, counted from 1.
    """
    mean, spread = np.nanmean(targets[train], axis=0), np.nanstd(targets[train], axis=0)
    spread[spread == 0] = 1.0
    scaled = torch.from_numpy(((targets - mean) / spread).astype(np.float32))
    fit, choose = np.flatnonzero(train & ~np.isnan(targets).all(axis=1)), np.flatnonzero(val)
    random = np.random.default_rng(config.seed)
    batches = -(-len(fit) // _BATCH)
    with (
        one_thread(),
        torch.random.fork_rng(devices=[]),
        progress("mlp", config.mlp_epochs * batches) as shown,
    ):
        torch.manual_seed(config.seed)
        network = _MultiHotMLP(genotypes.shape[1], config.mlp_hidden, targets.shape[1])
        optimizer = torch.optim.AdamW(network.parameters(), lr=_LR, weight_decay=_WEIGHT_DECAY)
        least, kept, weights = np.inf, 0, copy.deepcopy(network.state_dict())
        for epoch in range(1, config.mlp_epochs + 1):
            shuffled = random.permutation(fit)
            for first in range(0, len(fit), _BATCH):
                rows = shuffled[first : first + _BATCH]
                optimizer.zero_grad()
                _known_mse(network(genotypes[rows]), scaled[rows]).backward()
                optimizer.step()
                shown.advance()
            error = _known_mse(network.predict(genotypes[choose]), scaled[choose]).item()
            if error < least:
                least, kept, weights = error, epoch, copy.deepcopy(network.state_dict())
            elif epoch - kept >= _PATIENCE:
                shown.advance((config.mlp_epochs - epoch) * batches)  # not needed any more
                break
        network.load_state_dict(weights)
        predictions: Floats = network.predict(genotypes).double().numpy() * spread + mean
    return predictions, sum(p.numel() for p in network.parameters()), {"epoch": kept}


class _MultiHotMLP(nn.Module):
    """Sum of one vector a deleted gene, then two hidden layers."""

    def __init__(self, genes: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.genes = nn.EmbeddingBag(genes, hidden, mode="sum")
        nn.init.normal_(self.genes.weight, std=0.1)
        self.bias = nn.Parameter(torch.empty(hidden).uniform_(-0.3, 0.3))
        self.rest = nn.Sequential(
            nn.ReLU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(hidden, outputs),
        )

    def forward(self, genotypes: "csr_array") -> Tensor:
        genes, offsets = (torch.from_numpy(a) for a in (genotypes.indices, genotypes.indptr[:-1]))
        return torch.as_tensor(self.rest(self.genes(genes, offsets) + self.bias))

    @torch.no_grad()
    def predict(self, genotypes: "csr_array") -> Tensor:
        """`[N, P]` without dropout."""
        self.eval()
        outputs = self(genotypes)
        self.train()
        return torch.as_tensor(outputs)


def _known_mse(predicted: Tensor, target: Tensor) -> Tensor:
    known = ~target.isnan()
    return (predicted - target)[known].square().mean()


def read_samples(
    layout: DataLayout, parameters: Parameters
) -> tuple[MutantStateDataset, npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """The store of a build, the targets `[N, P]` and the part `[N]` of every sample, as its number.

    Samples that a trained model leaves out, because a target is missing, are excluded.
    """
    dataset = MutantStateDataset(layout.store, phenotypes=target_names(layout, parameters.train))
    targets = all_targets(dataset)
    parts = np.full(len(dataset), EXCLUDED, dtype=np.uint8)
    for part, samples in usable_samples(targets, read_parts(layout)).items():
        parts[samples] = PARTS.index(part)
    return dataset, targets, parts


def column_of(phenotype: str, name: str) -> str:
    """What the predictions of a phenotype by a model are called in tables."""
    return f"{phenotype}_{name}"


def run(data: Path, target: Path, parameters: Parameters) -> dict[str, Any]:
    """Fit the baselines on the build in `data`, on the samples that DCell trains on.

    What each predicts goes beside the JSON file `target`, into the Parquet file of the same name.

    Returns:
        What is written to `target`: for every baseline its scores by part, the seconds that it
        took, and what was chosen for it.

    Raises:
        InputError: a part without samples.
    """
    dataset, targets, parts = read_samples(DataLayout(data), parameters)
    fitted = fit_baselines(multi_hot(dataset), targets, parts, parameters.baselines)
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
    """What the baselines predict for samples, `[n, P]` by name, from where `run` wrote it.

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
        predicted = {name: np.stack([table[own].to_numpy() for own in columns[name]], axis=1)
                     for name in names}  # fmt: skip
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ArtefactError(f"{path}: {error}. Fit the baselines again.") from None
    if not same:
        raise ArtefactError(f"{path}: fitted on other samples. Fit the baselines again.")
    return predicted


if __name__ == "__main__":
    with exit_with_message():
        run(Path("data"), Path("results/baselines.json"), load(Path("params.yaml")))
