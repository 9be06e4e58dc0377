"""The content of the page, as values that JSON can hold: a model, a genotype, a term.

All numbers are those of `dcell_model.predict.tables`, in the same units. A number that is not
finite is None, since JSON has none such.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from data_specs.cell_graph import CellGraph
from data_specs.errors import InputError
from data_specs.gene_states import with_state
from dcell_model.checkpoint import LEVEL
from dcell_model.predict import IntArray, Trained, predictions, resolve

MAX_GENES, MAX_LENGTH = 50, 100
EXPLAINED = 10  # unknown names that near ones are looked for; each takes some 30 ms


def primary_parents(graph: CellGraph) -> IntArray:
    """`[T]` int64, the parent under which a term is drawn: the one that contains fewest genes.

    Of those that contain as few it is the one whose id comes first. The root has -1. Every other
    term has one, so that they form a tree over all terms.
    """
    child, parent = graph.edges.T
    rank = np.argsort(np.argsort(np.array(graph.term_ids)))
    order = np.lexsort((rank[parent], graph.genes_contained[parent], child))
    first = np.unique(child[order], return_index=True)[1]
    primary = np.full(graph.num_terms, -1, dtype=np.int64)
    primary[child[order][first]] = parent[order][first]
    return primary


def model_view(trained: Trained) -> dict[str, Any]:
    """The hierarchy and the wild type.

    Returns:
        `genes` (how many), `phenotypes` (P names), `members` (how many predict together), `level`
        of the intervals, and `terms`, columns of T values in the cell
        graph's order: `id`, `name`, `stratum`, `genes_contained`, `genes_direct`, `primary` (index
        of the parent under which it is drawn, -1 for the root), `parents` (indices), `wild_type` (P
        predictions of its own head).
    """
    graph = trained.graph
    (_, wild_type), *_ = predictions(trained, resolve(trained, []), subsystems=True)
    assert wild_type is not None
    return {
        "genes": graph.num_genes,
        "phenotypes": list(trained.phenotypes),
        "members": len(trained.members),
        "level": LEVEL,
        "terms": {
            "id": list(graph.term_ids),
            "name": list(graph.term_names),
            "stratum": graph.strata.tolist(),
            "genes_contained": graph.genes_contained.tolist(),
            "genes_direct": graph.genes_direct.tolist(),
            "primary": primary_parents(graph).tolist(),
            "parents": graph.parents(),
            "wild_type": _heads(trained, wild_type, "predicted"),
        },
    }


def genotype_view(trained: Trained, given: Sequence[str]) -> dict[str, Any]:
    """The effects of a genotype's deletions, and of each of its genes alone.

    Args:
        trained: the model.
        given: names of genes, in any order, a state other than 0 behind `=`; of those of one gene
            the first counts.

    Returns:
        `genes`: `given`, `gene` (systematic), `symbol`, `label` (the symbol with a state other than
        0), and `name` to ask for it again by, of each that the model knows, in order;
        `unknown`: `name`, `reason` and `near` names of each that it does not, taken as wild type;
        `predicted`, `wild_type`: P predictions; `singles`: P predictions for each gene alone;
        `low`, `high`: ends of its interval at the level that the model's view names, or None;
        `spread`: of an ensemble's members, or None; `unseen`: systematic names of genes that
        training never saw deleted, for which no interval holds;
        `terms`: those reached by deletions, the most changed first: `term` (index), `state_change`,
        `predicted` and `change` (P values of its own head), `genes` (numbers of those in `genes`
        that reach it).

    Raises:
        InputError: more than MAX_GENES names, or a longer one than MAX_LENGTH.
    """
    names = _checked(given)
    known, unknown = _sort_out(trained, names)
    rows = [list(known.values()), *([name] for name in known.values()), []]
    _, (table, states) = predictions(trained, resolve(trained, rows), subsystems=True)
    assert states is not None
    root = _heads(trained, table, "predicted")
    return {
        "genes": [_gene(trained, gene, name) for gene, name in known.items()],
        "unknown": unknown,
        "predicted": root[0],
        "wild_type": root[-1],
        "singles": root[1:-1],
        **{end: _first(trained, table, end) for end in ("low", "high", "spread")},
        "unseen": [name for name in table["unseen"][0].as_py().split("|") if name],
        "terms": _touched(trained, states),
    }


def _gene(trained: Trained, gene: str, given: str) -> dict[str, str]:
    """A gene that was given by some name, with its state."""
    symbol, (_, state) = trained.names.symbol(gene), trained.names.name_and_state(given)
    # A mapping may have another meaning for the systematic name.
    by_itself = trained.names.resolve(gene).gene == gene
    return {
        "given": given,
        "gene": gene,
        "symbol": symbol,
        "label": with_state(symbol, state),
        "name": with_state(gene, state) if by_itself else given,
    }


def term_view(trained: Trained, term_id: str) -> dict[str, Any]:
    """The genes annotated to a term itself: `gene` (systematic) and `symbol` of each.

    Raises:
        InputError: the hierarchy has no such term.
    """
    graph = trained.graph
    if term_id not in graph.term_ids:
        raise InputError(f"the hierarchy has no term '{term_id[:MAX_LENGTH]}'")
    term = graph.term_ids.index(term_id)
    first, last = np.searchsorted(graph.annotations[:, 0], [term, term + 1])
    genes = [graph.gene_ids[gene] for gene in graph.annotations[first:last, 1]]
    return {"genes": [{"gene": gene, "symbol": trained.names.symbol(gene)} for gene in genes]}


def suggestions(trained: Trained, text: str, count: int = 8) -> list[dict[str, str]]:
    """Up to so many genes of the model with a name like the text: `gene`, `symbol`, `name`.

    `value` is what to ask for: the gene, with the state that the text has behind `=`.

    Raises:
        InputError: the text is longer than MAX_LENGTH.
    """
    (text,) = _checked([text]) or [""]
    try:
        text, state = trained.names.name_and_state(text)
    except InputError:  # not typed to its end yet
        text, state = text.partition("=")[0], 0.0
    return [
        {
            "gene": gene,
            "symbol": trained.names.symbol(gene),
            "name": name,
            "value": with_state(gene, state),
        }
        for name, gene in trained.names.matching(text, count)
    ]


def _checked(names: Sequence[str]) -> list[str]:
    names = [name for name in dict.fromkeys(map(str.strip, names)) if name]
    if len(names) > MAX_GENES:
        raise InputError(f"{len(names)} genes; the page takes {MAX_GENES} at most. `dcell predict` "
                         "takes any number.")  # fmt: skip
    for name in names:
        if len(name) > MAX_LENGTH:
            raise InputError(f"'{name[:20]}…' has {len(name)} characters; a name of a gene has at "
                             f"most {MAX_LENGTH}")  # fmt: skip
    return names


def _sort_out(
    trained: Trained, names: Sequence[str]
) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Names, with states, by the gene that they are of, and those of no gene of the model."""
    known: dict[str, str] = {}
    unknown: list[dict[str, Any]] = []
    for given in names:
        name, _ = trained.names.name_and_state(given)
        found = trained.names.resolve(name)
        if found.known and found.gene in trained.names.index:
            known.setdefault(found.gene, given)
        elif found.known or found.genes:  # annotated to no term, or several genes
            unknown.append({"name": name, "reason": trained.names.explain(name), "near": []})
        else:
            near = trained.names.near(name) if len(unknown) < EXPLAINED else []
            reason = f"{name} is no name of a gene here"
            unknown.append({"name": name, "reason": reason, "near": near})
    return known, unknown


def _touched(trained: Trained, states: pa.Table) -> list[dict[str, Any]]:
    """Rows of genotype 0, all genes; genotype k is that of gene k - 1 alone."""
    genotype, change = states["genotype"].to_numpy(), states["state_change"].to_numpy()
    term = pa.chunked_array(states["term"]).combine_chunks().indices.to_numpy()
    genes: dict[int, list[int]] = {}
    for row in np.flatnonzero(genotype > 0):
        genes.setdefault(int(term[row]), []).append(int(genotype[row]) - 1)
    own = np.flatnonzero(genotype == 0)
    own = own[np.argsort(-change[own], kind="stable")]
    taken = states.take(pa.array(own))
    heads = zip(_heads(trained, taken, "predicted"), _heads(trained, taken, "change"), strict=True)
    return [
        {
            "term": int(term[row]),
            "state_change": _finite(float(change[row])),
            "predicted": predicted,
            "change": changed,
            "genes": genes.get(int(term[row]), []),
        }
        for row, (predicted, changed) in zip(own, heads, strict=True)
    ]


def _heads(trained: Trained, table: pa.Table, what: str) -> list[list[float | None]]:
    """P values of every row."""
    columns = (table[f"{name}_{what}"].to_pylist() for name in trained.phenotypes)
    return [[_finite(value) for value in row] for row in zip(*columns, strict=True)]


def _first(trained: Trained, table: pa.Table, what: str) -> list[float | None] | None:
    """P values of the first row; None where the table has no such columns."""
    names = [f"{name}_{what}" for name in trained.phenotypes]
    if not set(names) <= set(table.column_names):
        return None
    return [_finite(table[name][0].as_py()) for name in names]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
