"""The commands `dcell export` and `dcell import`."""

from dataclasses import dataclass
from typing import Annotated

from data_specs.command_line import File, OutputFile

Written = Annotated[OutputFile, "file to write"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Write the parameters of a checkpoint term by term, as an .npz without pickles.

    Example:
      dcell export --checkpoint runs/first/checkpoint.pt --out first.npz
    """

    checkpoint: Annotated[File, "checkpoint.pt of a run"]
    out: Written

    def __call__(self) -> None:
        from dcell_model import checkpoint
        from dcell_model.checkpoint import per_term_file
        from dcell_model.written_folders import refuse_file

        refuse_file(self.out, self.checkpoint, suffix=".npz", kind="export")
        state = checkpoint.load(self.checkpoint)
        arrays = per_term_file.export(state, self.checkpoint, self.out)
        terms = checkpoint.cell_graph_of(state, self.checkpoint).num_terms
        print(f"{self.out}: {terms:,} terms, {arrays:,} arrays")


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """Make a checkpoint of a file that `dcell export` wrote; it predicts the same to the bit.

    Example:
      dcell import --parameters first.npz --out model.pt
    """

    parameters: Annotated[File, "file of `dcell export`"]
    out: Written

    def __call__(self) -> None:
        from dcell_model import checkpoint
        from dcell_model.checkpoint import per_term_file
        from dcell_model.written_folders import refuse_file

        refuse_file(self.out, self.parameters, suffix=".pt", kind="checkpoint")
        sha256 = checkpoint.save(per_term_file.import_(self.parameters), self.out)
        print(f"{self.out}: a checkpoint with SHA-256 {sha256}")
