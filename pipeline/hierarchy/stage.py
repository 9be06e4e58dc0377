"""Stage `hierarchy`: hang the annotated terms under one root and prune them, step by step.

The root is a virtual one, `GO:ROOT`. With `root: auto` it goes in the end if only one term is left
under it: that one is the root then.

Gene sets are Python integers, one bit a gene: union is `|`, size is `bit_count`, and equality of
thousands of sets costs nothing.
"""

import dataclasses
import functools
import graphlib
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import networkx as nx
import polars as pl

from data_specs.chain import write_link
from data_specs.errors import InputError
from data_specs.files import replacing_folder
from data_specs.layout import DataLayout, write_json
from data_specs.parameters import Hierarchy as HierarchyConfig
from data_specs.parameters import Parameters
from data_specs.tables import ROOT, write_table
from pipeline.hierarchy.unmet_names import unmet


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A DAG of terms under one root with the genes annotated to each.

    Attributes:
        parents: every term's parents; the root's are empty.
        direct: every term's directly annotated genes, bit i standing for `genes[i]`.
        contained: every term's direct genes and those of all its descendants. They are those of
            the whole annotated ontology: pruning removes terms, and does not change their meaning.
        genes: names of the genes, sorted.
        virtual_root: whether the root is `GO:ROOT` and no term of the ontology.
    """

    parents: Mapping[str, frozenset[str]]
    direct: Mapping[str, int]
    contained: Mapping[str, int]
    genes: tuple[str, ...]
    virtual_root: bool = True

    @property
    def root(self) -> str:
        """The one term without parents."""
        return next(term for term, parents in self.parents.items() if not parents)

    def upwards(self) -> list[str]:
        """Terms in an order in which every child comes before its parents."""
        return _upwards(self.parents)

    def size(self) -> dict[str, int]:
        """Counts for the ledger: terms and edges (the root's too), (term, gene) pairs, genes."""
        everything = functools.reduce(operator.or_, self.direct.values(), 0)
        return {
            "terms": len(self.parents),
            "edges": sum(len(parents) for parents in self.parents.values()),
            "annotations": sum(genes.bit_count() for genes in self.direct.values()),
            "genes": everything.bit_count(),
        }


def assemble(
    terms: Iterable[str], edges: Iterable[tuple[str, str]], annotations: Iterable[tuple[str, str]]
) -> Hierarchy:
    """Hang live terms under the virtual root and annotate them.

    Args:
        terms: live term ids; the virtual root may be one of them.
        edges: (child, parent) pairs among them, acyclic; none from the virtual root.
        annotations: (term, gene) pairs.
    """
    parents: dict[str, set[str]] = {term: set() for term in terms}
    virtual_root = ROOT not in parents
    for child, parent in edges:
        parents[child].add(parent)
    for parents_of_term in parents.values():
        if not parents_of_term:  # a namespace root
            parents_of_term.add(ROOT)
    parents[ROOT] = set()
    pairs = list(annotations)
    genes = tuple(sorted({gene for _, gene in pairs}))
    bit = {gene: 1 << index for index, gene in enumerate(genes)}
    direct = dict.fromkeys(parents, 0)
    for term, gene in pairs:
        direct[term] |= bit[gene]
    contained = dict(direct)
    for term in _upwards(parents):
        for parent in parents[term]:
            contained[parent] |= contained[term]
    frozen = {term: frozenset(parents_of_term) for term, parents_of_term in parents.items()}
    return Hierarchy(frozen, direct, contained, genes, virtual_root)


def _upwards(parents: Mapping[str, Iterable[str]]) -> list[str]:
    return list(graphlib.TopologicalSorter(parents).static_order())[::-1]


def keep_annotated(hierarchy: Hierarchy) -> Hierarchy:
    """Remove the terms that contain no gene."""
    return _only(hierarchy, (term for term, genes in hierarchy.contained.items() if genes))


def take_natural_root(hierarchy: Hierarchy) -> Hierarchy:
    """Let the one term under the virtual root be the root.

    Where there are several, or one without children, the virtual root stays.
    """
    under = [term for term, parents in hierarchy.parents.items() if ROOT in parents]
    if not hierarchy.virtual_root or len(under) != 1 or len(hierarchy.parents) == 2:
        return hierarchy
    parents = {t: above - {ROOT} for t, above in hierarchy.parents.items() if t != ROOT}
    return dataclasses.replace(
        hierarchy,
        parents=parents,
        direct={term: hierarchy.direct[term] for term in parents},
        contained={term: hierarchy.contained[term] for term in parents},
        virtual_root=False,
    )


def keep_containing(hierarchy: Hierarchy, least: int, orphans: str = "push") -> Hierarchy:
    """Remove the terms that contain fewer than `least` genes.

    Containment grows towards the root, so removed terms are closed downwards and no path is cut.

    Args:
        hierarchy: the hierarchy; it is left as it is.
        least: number of contained genes that a term needs.
        orphans: `push` moves the direct genes of a removed term to each of its parents, `drop`
            loses them.
    """
    large = {t for t, genes in hierarchy.contained.items() if genes.bit_count() >= least}
    large.add(hierarchy.root)
    direct = dict(hierarchy.direct)
    if orphans == "push":
        for term in hierarchy.upwards():
            if term not in large:
                for parent in hierarchy.parents[term]:
                    direct[parent] |= direct[term]
    return _only(dataclasses.replace(hierarchy, direct=direct), large)


def drop_redundant(hierarchy: Hierarchy) -> Hierarchy:
    """Remove the terms with a child that contains exactly the same genes.

    Their children hang under their parents; their direct genes are in that child already.
    """
    contained = hierarchy.contained
    redundant = {
        parent
        for child, parents in hierarchy.parents.items()
        for parent in parents
        if contained[parent] == contained[child]
    } - {hierarchy.root}
    lifted: dict[str, frozenset[str]] = {}  # nearest ancestors that stay
    for term in reversed(hierarchy.upwards()):
        lifted[term] = frozenset().union(
            *(lifted[p] if p in redundant else {p} for p in hierarchy.parents[term])
        )
    return _only(dataclasses.replace(hierarchy, parents=lifted), lifted.keys() - redundant)


def reduce_transitively(hierarchy: Hierarchy) -> Hierarchy:
    """Remove the edges that a longer path implies."""
    graph = nx.DiGraph((c, p) for c, parents in hierarchy.parents.items() for p in parents)
    graph.add_nodes_from(hierarchy.parents)
    reduced = nx.transitive_reduction(graph)
    parents = {term: frozenset(reduced.successors(term)) for term in hierarchy.parents}
    return dataclasses.replace(hierarchy, parents=parents)


def _only(hierarchy: Hierarchy, terms: Iterable[str]) -> Hierarchy:
    """Keep these terms and the root; no kept term may have a parent that goes."""
    kept = {*terms, hierarchy.root}
    stay = [term for term in hierarchy.parents if term in kept]
    return dataclasses.replace(
        hierarchy,
        parents={term: hierarchy.parents[term] for term in stay},
        direct={term: hierarchy.direct[term] for term in stay},
        contained={term: hierarchy.contained[term] for term in stay},
    )


def prune(hierarchy: Hierarchy, config: HierarchyConfig) -> tuple[Hierarchy, list[dict[str, Any]]]:
    """Apply `annotated`, the configured steps in their order, and with `root: auto` `natural_root`.

    Returns:
        The pruned hierarchy and the ledger's `steps`: name and size after each step; `natural_root`
        is among them only where it changed something.

    Raises:
        InputError: a step that leaves no term but the root; says which.
    """
    ledger: list[dict[str, Any]] = []
    for step in ("annotated", *(step for step in config.steps if step != "annotated")):
        before = hierarchy
        if step == "annotated":
            hierarchy = keep_annotated(hierarchy)
        elif step == "containment":
            hierarchy = keep_containing(hierarchy, config.containment, config.orphans)
        elif step == "redundant":
            hierarchy = drop_redundant(hierarchy)
        else:
            hierarchy = reduce_transitively(hierarchy)
        if len(hierarchy.parents) == 1:
            setting = f" (hierarchy.containment={config.containment})" * (step == "containment")
            raise InputError(
                f"pruning step '{step}'{setting} left no term but the root: there were "
                f"{len(before.parents) - 1} terms with {before.size()['annotations']} annotations "
                "before it. Loosen that step, or check that the inputs belong together."
            )
        ledger.append({"step": step, **hierarchy.size()})
    if config.root == "auto" and (natural := take_natural_root(hierarchy)) is not hierarchy:
        hierarchy = natural
        ledger.append({"step": "natural_root", **hierarchy.size()})
    return hierarchy, ledger


def run(parameters: Parameters, layout: DataLayout) -> None:
    """Build and prune the hierarchy; write its terms, edges and annotations with the ledger."""
    terms = pl.read_parquet(layout.ontology / "terms.parquet", glob=False).filter(
        ~pl.col("obsolete")
    )
    edges = (
        pl.read_parquet(layout.ontology / "edges.parquet", glob=False)
        .select("child", "parent")
        .unique()
    )
    annotations = pl.read_parquet(layout.annotations / "annotations.parquet", glob=False)
    steps = []
    if parameters.hierarchy.gene_universe == "assayed":
        assayed = pl.read_parquet(layout.genotypes / "genes.parquet", glob=False)
        if "of_gene" in assayed.columns:  # inputs, several a gene
            assayed = assayed.select(gene=pl.col("of_gene").unique())
        known = annotations["gene"].unique().sort().to_list()
        annotations = annotations.join(assayed, on="gene", how="semi")
        if annotations.is_empty():
            raise unmet(layout, known)
    full = assemble(terms["term"], edges.iter_rows(), annotations.iter_rows())
    if parameters.hierarchy.gene_universe == "assayed":
        steps.append({"step": "gene_universe", **full.size()})
    pruned, pruning = prune(full, parameters.hierarchy)
    contained = pruned.contained
    names = terms.filter(pl.col("term") != ROOT).select("term", "name", "namespace")
    settled = {} if pruned.root == ROOT else {"root": pruned.root}
    root = pl.DataFrame({"term": [ROOT], "name": ["root"], "namespace": [""]})
    table = (
        pl.DataFrame(
            {
                "term": list(pruned.parents),
                "genes_direct": [pruned.direct[t].bit_count() for t in pruned.parents],
                "genes_contained": [contained[t].bit_count() for t in pruned.parents],
            }
        )
        .join(pl.concat([names, root]), on="term", how="left")
        .select("term", "name", "namespace", "genes_direct", "genes_contained")
        .sort("term")
    )
    with replacing_folder(layout.hierarchy, layout.own("hierarchy")) as folder:
        folder.mkdir()
        write_table(table, folder / "terms.parquet")
        write_table(_edges(pruned), folder / "edges.parquet")
        write_table(_annotations(pruned), folder / "annotations.parquet")
        write_json(folder / "ledger.json", {"steps": steps + pruning, **settled})
        write_link(layout, "hierarchy", folder)


def _edges(hierarchy: Hierarchy) -> pl.DataFrame:
    pairs = [(c, p) for c, parents in hierarchy.parents.items() for p in parents]
    return pl.DataFrame(pairs, schema={"child": pl.String, "parent": pl.String}, orient="row").sort(
        "child", "parent"
    )


def _annotations(hierarchy: Hierarchy) -> pl.DataFrame:
    pairs = [
        (term, hierarchy.genes[bit])
        for term, genes in hierarchy.direct.items()
        for bit in _bits(genes)
    ]
    return pl.DataFrame(pairs, schema={"term": pl.String, "gene": pl.String}, orient="row").sort(
        "term", "gene"
    )


def _bits(genes: int) -> Iterable[int]:
    """Positions of the bits that are set."""
    while genes:
        lowest = genes & -genes
        yield lowest.bit_length() - 1
        genes ^= lowest
