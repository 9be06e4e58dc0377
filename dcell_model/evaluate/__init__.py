"""Stage `evaluate`: how good a model is beside the baselines, in numbers, plots and words."""

from dcell_model.evaluate.fit import show_fit
from dcell_model.evaluate.stage import run
from dcell_model.evaluate.summary import print_summary
from dcell_model.evaluate.verdict import verdict

__all__ = [
    "print_summary",
    "run",
    "show_fit",
    "verdict",
]
