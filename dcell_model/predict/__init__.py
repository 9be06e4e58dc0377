"""Predictions of trained models: of samples in a store, and of genotypes by their genes."""

from dcell_model.predict.command import print_unknown
from dcell_model.predict.genotype_input import read_gene_names
from dcell_model.predict.of_store import predict_members, predict_together
from dcell_model.predict.opened_run import Run, open_run
from dcell_model.predict.tables import predictions, resolve
from dcell_model.predict.trained import FloatArray, IntArray, Trained

__all__ = [
    "FloatArray",
    "IntArray",
    "Run",
    "Trained",
    "open_run",
    "predict_members",
    "predict_together",
    "predictions",
    "print_unknown",
    "read_gene_names",
    "resolve",
]
