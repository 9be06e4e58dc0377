"""Which gene a name in a genotype table means, and whether it is the control."""

from collections.abc import Mapping
from dataclasses import dataclass

from data_specs.gene_names import AMBIGUOUS, UNRESOLVED, GeneNames, Resolution

# `genotypes.control_gene`'s default by its names in any case, where annotations do not have them.
_CONTROLS = {"ho": "YDL227C", "ydl227c": "YDL227C"}


@dataclass(frozen=True, slots=True)
class Naming:
    """How names in a genotype table are taken.

    Attributes:
        names: the meaning of each; by default, itself.
        control_gene: any of its names; a deletion of it in a query strain is no deletion.
        merge: whether a gene that a genotype names twice counts once; else such a row is bad.
        alleles: whether the alleles of genes are read, too.
        states: the states of kinds of alleles, where states are read, too; else None.
    """

    names: GeneNames = GeneNames((), exact=True)  # noqa: RUF009 - nothing changes it
    control_gene: str | None = None
    merge: bool = False
    alleles: bool = False
    states: Mapping[str, float] | None = None

    def gene(self, name: str) -> str:
        """The gene that a name means; itself if no gene is known by it."""
        return self.names.resolve(name).gene

    def is_control(self, name: str) -> bool:
        """Whether a name means the control gene."""
        return self.control_gene is not None and self._control(name) == self._control(
            self.control_gene
        )

    def _control(self, name: str) -> str:
        found: Resolution = self.names.resolve(name)
        if found.how == UNRESOLVED and not self.names.exact:
            return _CONTROLS.get(found.gene.casefold(), found.gene)
        return name if found.how == AMBIGUOUS else found.gene
