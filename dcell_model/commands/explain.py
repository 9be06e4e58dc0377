"""The command `dcell explain`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from data_specs.command_line import File, Folder, Metavar, Name, OutputFolder
from data_specs.parameters import Count, Seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Explain:
    r"""Score every subsystem by how much the predictions depend on it, on held-out genotypes.

    The scores are RLIPP, accuracy of the term's head, ablation, and gradient × input, each with a
    p-value by permutation. The columns of the table are described in
    dcell_model/explain/importance.py.

    Examples:
      dcell explain --checkpoint runs/first/checkpoint.pt --data data/kuzmin2018 \
        --out explained
      dcell explain --checkpoint runs/first/checkpoint.pt --data data/kuzmin2018 \
        --terms GO:0006281 'DNA repair' --permutations 10000 --out explained-repair
    """

    checkpoint: Annotated[File, "checkpoint.pt of a run"]
    data: Annotated[Folder, "folder of the build on which it was trained"]
    out: Annotated[OutputFolder, "folder to write"]
    part: Annotated[Literal["test", "val"], "held-out genotypes to use"] = "test"
    phenotype: Annotated[Name | None, "default: the first of the model"] = None
    terms: Annotated[tuple[Name, ...], Metavar("TERM"), "ids or names of terms (default: all)"] = ()
    permutations: Annotated[Count, "no p-value is below 1 / (N + 1)"] = 200
    min_samples: Annotated[Count, "terms touched by fewer genotypes get no scores"] = 20
    seed: Annotated[Seed, "of halves and permutations"] = 0
    rlipp: Annotated[bool, "omit RLIPP, which takes most of the time"] = True
    overwrite: Annotated[bool, "replace an earlier explanation; other files stay"] = False

    def __call__(self) -> None:
        from dcell_model.explain import Settings, command, terminal

        settings = Settings(
            permutations=self.permutations,
            min_samples=self.min_samples,
            seed=self.seed,
            rlipp=self.rlipp,
        )
        description = command.run(
            self.checkpoint,
            self.data,
            self.out,
            part=self.part,
            phenotype=self.phenotype,
            terms=self.terms,
            settings=settings,
            overwrite=self.overwrite,
        )
        terminal.print_report(self.out / command.TABLE, description, self.out)
