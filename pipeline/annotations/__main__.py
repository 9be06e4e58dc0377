"""`python -m pipeline.annotations`: the stage of DVC."""

from pipeline.annotations import run
from pipeline.stage import run_stage

if __name__ == "__main__":
    run_stage(run)
