"""`python -m pipeline.ontology`: the stage of DVC."""

from pipeline.ontology import run
from pipeline.stage import run_stage

if __name__ == "__main__":
    run_stage(run)
