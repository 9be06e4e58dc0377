"""The command `dcell screen`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from data_specs.command_line import (
    Assignments,
    Checkpoint,
    File,
    Metavar,
    Name,
    OutputFolder,
)
from data_specs.parameters import Count, override, refuse_without_effect, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    r"""Predict all pairs, or all triples around some genes, and their interactions.

    Reads nothing but a checkpoint. Called again, a screen that was stopped goes
    on. All cores of this machine work on it, or the workers of a Dask cluster
    (--set dask.scheduler=tcp://…).

    scores (the column 'interaction'):
      prediction      the prediction itself, for a model trained on interactions
      multiplicative  e_ij = f_ij - f_i f_j and
                      t_ijk = f_ijk - f_i f_j f_k - e_ij f_k - e_ik f_j - e_jk f_i
                      with f = prediction / prediction for the wild type
      additive        the same with differences from the wild type that add up
      auto            multiplicative for a phenotype called fitness, prediction
                      for one called interaction, epsilon or tau

    Examples:
      dcell screen --checkpoint runs/first --order 2 --out screens/pairs
      dcell screen --checkpoint runs/first/checkpoint.pt --order 3 \
        --with 'RAD51|RAD52' TFC3 --threshold 0.08 --out screens/rad
    """

    checkpoint: Checkpoint
    order: Annotated[Literal[2, 3], "genes deleted at once"]
    with_: Annotated[
        tuple[Name, ...], Metavar("GENES"),
        "only genotypes with one of these genes, or with all of 'A|B'",
    ] = ()  # fmt: skip
    genes: Annotated[
        File | None, "file of the genes to combine, in any form that predict reads (default: all)"
    ] = None
    phenotype: Annotated[Name | None, "default: the first of the model"] = None
    score: Annotated[
        Literal["auto", "prediction", "multiplicative", "additive"],
        "how an interaction is computed, see below",
    ] = "auto"
    top: Annotated[Count, "strongest interactions to list in top.parquet"] = 100
    threshold: Annotated[float | None, "keep only |interaction| >= X"] = None
    part_rows: Annotated[Count, "genotypes in each file of genotypes.parquet"] = 100_000
    device: Literal["cpu", "cuda"] = "cpu"
    out: Annotated[OutputFolder, "folder of the screen"]
    set: Annotated[Assignments, "who predicts: dask.scheduler or dask.workers; default: here"] = ()
    overwrite: Annotated[bool, "replace a screen with other settings; other files stay"] = False

    def __call__(self) -> None:
        from dcell_model import screen
        from dcell_model.predict import open_run, print_unknown
        from dcell_model.screen import print_report

        settings = screen.Settings(
            order=self.order,
            queries=self.with_,
            genes=self.genes,
            phenotype=self.phenotype,
            score=self.score,
            threshold=self.threshold,
            part_rows=self.part_rows,
        )
        refuse_without_effect(
            self.set, ("dask",), "dcell screen", "a screen takes the parameters of its checkpoint"
        )
        given = resolve(override({}, self.set), where="dcell screen")
        summary = screen.run(
            self.checkpoint, self.out, settings, top=self.top, device=self.device,
            overwrite=self.overwrite, dask=given.dask,
        )  # fmt: skip
        if summary["left_out"]:
            names = open_run(self.checkpoint).names
            print_unknown(names, summary["left_out"], "omitted from the screen")
        print_report(self.out, summary)
