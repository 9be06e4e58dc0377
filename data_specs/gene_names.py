"""Genes by any of their names: systematic (YAL001C), standard (TFC3) or another synonym.

One rule wherever a name enters, at the build and with a checkpoint. After the mapping of
`sources.gene_names`, a name is looked up as a systematic name, then as a symbol, then as a synonym:
what is one gene's standard name is that gene, even where another gene has it among its synonyms. If
it is none of these as it stands, it is looked up without regard to case, since mutants are written
in lower case. The first of these that any gene has decides: one gene is it, several are ambiguous.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from data_specs.cell_graph import CellGraph
from data_specs.errors import InputError
from data_specs.gene_states import DELETED, name_and_state
from data_specs.genotype_text import whole_names

KINDS = ("systematic", "symbol", "synonym")
MAPPED = "mapped"  # a row of `sources.gene_names`: its `gene` may be any name
AS_WRITTEN, AMBIGUOUS, UNRESOLVED = "as_written", "ambiguous", "unresolved"


@dataclass(frozen=True, slots=True)
class Resolution:
    """The meaning of a name.

    Attributes:
        gene: its systematic name; where no gene has the name, or several have, the name itself,
            or what it is mapped to: a gene without annotation.
        how: `as_written` for a systematic name; else `mapped` or the kind of name that it is
            (`systematic` in another case); or `ambiguous`, or `unresolved`.
        genes: the genes that have the name; several if it is ambiguous.
    """

    gene: str
    how: str
    genes: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether it is a gene of the annotations."""
        return self.how not in (AMBIGUOUS, UNRESOLVED)


class GeneNames:
    """The names of genes, and their meanings.

    Args:
        rows: name, gene, kind as `data_specs.tables.GENE_NAMES`; `systematic` rows name genes
            that need not have a row else.
        ids: systematic names in the order of their numbers.
        exact: a name is a systematic one as written, or none (`genotypes.names: exact`). The
            mapping is the user's word, and holds as written.
    """

    def __init__(
        self, rows: Iterable[tuple[str, str, str]], ids: Sequence[str] = (), *, exact: bool = False
    ) -> None:
        self.exact = exact
        self._exact: dict[str, dict[str, set[str]]] = {kind: {} for kind in (MAPPED, *KINDS)}
        self._folded: dict[str, dict[str, set[str]]] = {kind: {} for kind in (MAPPED, *KINDS)}
        self._symbol: dict[str, str] = {}
        for gene in ids:
            self._add(gene, gene, "systematic")
        for name, gene, kind in rows:
            self._add(name, gene, kind)
            if kind != MAPPED:
                self._add(gene, gene, "systematic")
            if kind == "symbol":
                self._symbol.setdefault(gene, name)
        self.index = {gene: index for index, gene in enumerate(ids)}

    def _add(self, name: str, gene: str, kind: str) -> None:
        self._exact[kind].setdefault(name, set()).add(gene)
        self._folded[kind].setdefault(name.casefold(), set()).add(gene)

    @classmethod
    def of(cls, graph: CellGraph) -> "GeneNames":
        """The names that a cell graph knows, those of genes that it does not have included."""
        return cls(graph.gene_names, graph.gene_ids, exact=graph.exact_names)

    @property
    def mapping(self) -> bool:
        """Whether there is one (`sources.gene_names`)."""
        return bool(self._exact[MAPPED])

    def resolve(self, name: str) -> Resolution:
        """The meaning of a name; never fails."""
        found = self._look_up(name, (MAPPED,))
        if not found:
            return self._resolve_own(name)
        if len(found[1]) > 1:
            return Resolution(name, AMBIGUOUS, tuple(sorted(found[1])))
        resolution = self._resolve_own(next(iter(found[1])))
        return (
            Resolution(resolution.gene, MAPPED, resolution.genes)
            if resolution.known
            else resolution
        )

    def _resolve_own(self, name: str) -> Resolution:
        found = self._look_up(name, ("systematic",) if self.exact else KINDS)
        if not found:
            return Resolution(name, UNRESOLVED)
        kind, genes = found
        if len(genes) > 1:
            return Resolution(name, AMBIGUOUS, tuple(sorted(genes)))
        gene = next(iter(genes))
        return Resolution(gene, AS_WRITTEN if gene == name else kind, (gene,))

    def _look_up(self, name: str, kinds: Sequence[str]) -> tuple[str, set[str]] | None:
        for names, key in ((self._exact, name), (self._folded, name.casefold())):
            for kind in kinds:
                if found := names[kind].get(key):
                    return kind, found
            if self.exact:
                return None
        return None

    def symbol(self, gene: str) -> str:
        """A gene's standard name, else its systematic one."""
        return self._symbol.get(gene, gene)

    def both(self, gene: str) -> str:
        """A gene's systematic name, with its standard one behind it where it has one."""
        symbol = self.symbol(gene)
        return gene if symbol == gene else f"{gene} ({symbol})"

    def gene(self, name: str) -> str | None:
        """The systematic name of the gene of a name; None if no gene has it.

        Raises:
            InputError: several genes have the name; names them.
        """
        found = self.resolve(name)
        if found.how == AMBIGUOUS:
            raise InputError(f"{self.explain(name)}. Write the systematic name of the one meant.")
        return found.gene if found.known else None

    def name_and_state(self, part: str) -> tuple[str, float]:
        """As the function of `gene_states`; a known name may hold `=` itself."""
        return (part, float(DELETED)) if self.resolve(part).known else name_and_state(part)

    def number(self, name: str) -> int | None:
        """The number of the gene of a name in the cell graph; None if it has no such gene."""
        found = self.resolve(name)
        return self.index.get(found.gene) if found.known else None

    def near(self, name: str, count: int = 3) -> list[str]:
        """Up to so many known names that look like this one, the likest first."""
        known: dict[str, str] = {}
        for kind in ("systematic",) if self.exact else (*reversed(KINDS), MAPPED):
            known |= {each.casefold(): each for each in self._exact[kind]}
        matches = difflib.get_close_matches(name.casefold(), known, n=count, cutoff=0.7)
        return [known[match] for match in matches]

    @property
    def whole(self) -> frozenset[str]:
        """The names that a split would tear apart, as `genotype_text.whole_names` gives them."""
        return whole_names(name for names in self._exact.values() for name in names)

    def matching(self, text: str, count: int = 8) -> list[tuple[str, str]]:
        """Up to so many (name, gene) with the text in the name, each gene of the cell graph once.

        Names that are the text come first, then those that begin with it; among these systematic
        and standard names come before synonyms. Case does not matter; no text matches nothing.
        """
        text = text.casefold()
        found: list[tuple[tuple[int, int, str], str, str]] = []
        kinds = KINDS[:1] if self.exact else KINDS
        for preference, kind in enumerate(kinds if text else ()):
            for name, genes in self._exact[kind].items():
                position = name.casefold().find(text)
                if position >= 0:
                    likeness = 0 if len(name) == len(text) else 1 if position == 0 else 2
                    priority = likeness, preference // 2, name
                    found += [(priority, name, gene) for gene in genes if gene in self.index]
        best: dict[str, str] = {}
        for _, name, gene in sorted(found):
            best.setdefault(gene, name)
        return [(name, gene) for gene, name in best.items()][:count]

    def explain(self, name: str) -> str:
        """Why a model on the cell graph does not know the gene of a name."""
        found = self.resolve(name)
        if found.known:
            shown = name if name == found.gene else f"{name} ({found.gene})"
            return f"{shown} is annotated to no term of the hierarchy"
        named = name if name == found.gene else f"{name}, mapped to {found.gene},"
        if found.how == AMBIGUOUS:
            genes = ", ".join(map(self.both, found.genes))
            return f"{named} is a name of {len(found.genes)} genes: {genes}"
        near = self.near(found.gene)
        return f"{named} is no name of a gene here" + (f"; near: {', '.join(near)}" if near else "")


def counts(how: Iterable[str]) -> dict[str, Any]:
    """How many names were what: `as_written`, `renamed`, `ambiguous`, `unresolved`."""
    total = dict.fromkeys((AS_WRITTEN, "renamed", AMBIGUOUS, UNRESOLVED), 0)
    for each in how:
        total[each if each in total else "renamed"] += 1
    return total
