"""`python -m pipeline.store`: the stage of DVC."""

from pipeline.stage import run_stage
from pipeline.store import run

if __name__ == "__main__":
    run_stage(run)
