"""Genes by any of their names: systematic (YAL001C), standard (TFC3) or another synonym.

A name is looked up as a systematic name, then as a symbol, then as a synonym: what is one gene's
standard name is that gene, even where another gene has it among its synonyms. If it is none of
these as it stands, it is looked up without regard to case, since mutants are written in lower case.
"""

import difflib
from collections.abc import Iterable

from data_specs.cell_graph import CellGraph
from data_specs.errors import InputError
from data_specs.genotype_text import whole_names

_KINDS = ("systematic", "symbol", "synonym")


class GeneNames:
    """The names that a cell graph knows, those of genes that it does not have included.

    Args:
        graph: the cell graph.
        others: systematic names of more genes, as a store has that no term has.
    """

    def __init__(self, graph: CellGraph, others: Iterable[str] = ()) -> None:
        rows = [(gene, gene, "systematic") for gene in (*graph.gene_ids, *others)]
        rows += [(gene, gene, "systematic") for _, gene, _ in graph.gene_names]
        rows += graph.gene_names
        self._exact: dict[str, dict[str, set[str]]] = {kind: {} for kind in _KINDS}
        self._folded: dict[str, dict[str, set[str]]] = {kind: {} for kind in _KINDS}
        self._symbol: dict[str, str] = {}
        for name, gene, kind in rows:
            self._exact[kind].setdefault(name, set()).add(gene)
            self._folded[kind].setdefault(name.casefold(), set()).add(gene)
            if kind == "symbol":
                self._symbol.setdefault(gene, name)
        self.index = {gene: number for number, gene in enumerate(graph.gene_ids)}

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
            InputError: the name is a synonym of several genes; names them.
        """
        for names, key in ((self._exact, name), (self._folded, name.casefold())):
            for kind in _KINDS:
                found = names[kind].get(key)
                if found and len(found) == 1:
                    return next(iter(found))
                if found:
                    candidates = ", ".join(map(self.both, sorted(found)))
                    raise InputError(
                        f"'{name}' is a {kind} of {len(found)} genes: {candidates}. Write the "
                        "systematic name of the one that is meant."
                    )
        return None

    def near(self, name: str, count: int = 3) -> list[str]:
        """Up to so many known names that look like this one, the likest first."""
        known: dict[str, str] = {}
        for kind in reversed(_KINDS):
            known |= {each.casefold(): each for each in self._exact[kind]}
        matches = difflib.get_close_matches(name.casefold(), known, n=count, cutoff=0.7)
        return [known[match] for match in matches]

    @property
    def whole(self) -> frozenset[str]:
        """The names that a split would tear apart, as `genotype_text.whole_names` gives them."""
        return whole_names(name for kind in _KINDS for name in self._exact[kind])

    def matching(self, text: str, count: int = 8) -> list[tuple[str, str]]:
        """Up to so many (name, gene) with the text in the name, each gene of the cell graph once.

        Names that are the text come first, then those that begin with it; among these systematic
        and standard names come before synonyms. Case does not matter; no text matches nothing.
        """
        text = text.casefold()
        found: list[tuple[tuple[int, int, str], str, str]] = []
        for number, kind in enumerate(_KINDS if text else ()):
            for name, genes in self._exact[kind].items():
                place = name.casefold().find(text)
                if place >= 0:
                    likeness = 0 if len(name) == len(text) else 1 if place == 0 else 2
                    rank = likeness, number // 2, name
                    found += [(rank, name, gene) for gene in genes if gene in self.index]
        best: dict[str, str] = {}
        for _, name, gene in sorted(found):
            best.setdefault(gene, name)
        return [(name, gene) for gene, name in best.items()][:count]

    def explain(self, name: str) -> str:
        """Why a model on the cell graph does not know the gene of a name."""
        gene = self.gene(name)
        if gene is not None:
            shown = name if name == gene else f"{name} ({gene})"
            return f"{shown} is annotated to no term of the hierarchy"
        near = self.near(name)
        return f"{name} is no name of a gene here" + (f"; near: {', '.join(near)}" if near else "")
