"""`python -m pipeline.networks`: the stage of DVC."""

from pipeline.networks import run
from pipeline.stage import run_stage

if __name__ == "__main__":
    run_stage(run)
