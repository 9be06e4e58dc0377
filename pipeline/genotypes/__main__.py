"""`python -m pipeline.genotypes`: the stage of DVC."""

from pipeline.genotypes import run
from pipeline.stage import run_stage

if __name__ == "__main__":
    run_stage(run)
