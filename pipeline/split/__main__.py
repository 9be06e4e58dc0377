"""`python -m pipeline.split`: the stage of DVC."""

from pipeline.split import run
from pipeline.stage import run_stage

if __name__ == "__main__":
    run_stage(run)
