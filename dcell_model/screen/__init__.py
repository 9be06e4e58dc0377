"""`dcell screen`: predict every genotype of an order, and the interaction in each."""

from dcell_model.screen.command import KIND, run
from dcell_model.screen.engine import ScreenEngine
from dcell_model.screen.genotype_space import GenotypeSpace, Part
from dcell_model.screen.screen import Settings
from dcell_model.screen.terminal import print_report

__all__ = [
    "KIND",
    "GenotypeSpace",
    "Part",
    "ScreenEngine",
    "Settings",
    "print_report",
    "run",
]
