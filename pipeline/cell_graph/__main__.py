"""`python -m pipeline.cell_graph`: the stage of DVC."""

from pipeline.cell_graph import run
from pipeline.stage import run_stage

if __name__ == "__main__":
    run_stage(run)
