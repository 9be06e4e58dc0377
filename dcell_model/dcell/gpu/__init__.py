"""The pass over columns for GPUs: plans of batches, Triton's kernels, recordings of launches.

Kernels are imported when they first run, since Triton has no wheels for some platforms.
"""

from dcell_model.dcell.gpu.plan import Plan, Planned, Sizes
from dcell_model.dcell.gpu.replay import VARIABLE, Recordings
from dcell_model.dcell.gpu.tables import Hierarchy, Tables

__all__ = ["VARIABLE", "Hierarchy", "Plan", "Planned", "Recordings", "Sizes", "Tables"]
