"""`python -m pipeline.simulate`: the stage of DVC."""

from pipeline.simulate import run
from pipeline.stage import run_stage

if __name__ == "__main__":
    run_stage(run)
