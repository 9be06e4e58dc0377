"""The commands of `dcell`: the options of each, and the function that does the work."""

from dcell_model.commands.bench import Bench
from dcell_model.commands.compare import Compare
from dcell_model.commands.exchange import Export, Import
from dcell_model.commands.explain import Explain
from dcell_model.commands.predict import Predict
from dcell_model.commands.report import Report
from dcell_model.commands.screen import Screen
from dcell_model.commands.serve import Serve
from dcell_model.commands.summary import Summary
from dcell_model.commands.train import Train
from dcell_model.commands.tune import Tune

__all__ = [
    "Bench",
    "Compare",
    "Explain",
    "Export",
    "Import",
    "Predict",
    "Report",
    "Screen",
    "Serve",
    "Summary",
    "Train",
    "Tune",
]
