"""Stage `baselines`: the simple models that every result stands beside, on the same split.

A genotype is here no more than the set of its deleted genes (multi-hot, one column a gene):

- `mean` predicts the mean of the training part
- `ridge` adds up one effect a gene
- `fm`, a factorization machine, adds one effect a pair of genes, of low rank
- `mlp` is a plain network of two hidden layers

Each has its settings chosen, among as many as `baselines.trials` says, by the squared error on the
validation part.
"""

from dcell_model.baselines.fitting import Baseline, fit_baselines
from dcell_model.baselines.records import BASELINES, FittedModel
from dcell_model.baselines.results import column_of, read_predictions, run
from dcell_model.baselines.samples import multi_hot, read_samples

__all__ = [
    "BASELINES",
    "Baseline",
    "FittedModel",
    "column_of",
    "fit_baselines",
    "multi_hot",
    "read_predictions",
    "read_samples",
    "run",
]
