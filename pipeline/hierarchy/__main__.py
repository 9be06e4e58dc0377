"""`python -m pipeline.hierarchy`: the stage of DVC."""

from pipeline.hierarchy import run
from pipeline.stage import run_stage

if __name__ == "__main__":
    run_stage(run)
