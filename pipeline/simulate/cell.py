"""The cell that `simulate` invents: a DAG of named terms, genes, and which gene belongs where."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from data_specs.parameters import Simulate

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NAMESPACES = ("biological_process", "molecular_function", "cellular_component")
ROOTS = ("GO:0008150", "GO:0003674", "GO:0005575")
HO = "YDL227C"  # deleting it does nothing, so it is the control of every query
LEAF_GENES, INNER_GENES = 6, 2  # least direct genes: leaves survive the strictest preset's pruning
MEAGRE_SHARE = 0.1  # of the leaves have no more than three genes and do not survive any
IMPLIED_SHARE = 0.03  # of the terms have an edge that a longer path implies
NAMES = 16 * 2 * 400 - 1  # systematic names to draw from

_SHARES = (0.6, 0.2, 0.2)  # of the terms, by namespace
_TOPICS = (
    "RNA", "DNA", "ribosome", "vesicle", "vacuole", "chromatin", "spindle", "actin", "lipid",
    "sterol", "histone", "tubulin", "ubiquitin", "glycogen", "purine", "amino acid", "iron",
    "copper", "heme", "telomere", "centromere", "nucleosome", "proteasome", "peroxisome", "septin",
    "tRNA", "mRNA", "snoRNA", "glucan", "chitin", "mannose", "ceramide", "sulfate", "phosphate",
    "potassium", "zinc", "NAD", "ATP", "GTP", "kinetochore", "cohesin", "condensin", "clathrin",
    "dynein", "peptide", "nitrogen", "carbohydrate", "pheromone", "cyclin", "thiamine",
)  # fmt: skip
_QUALIFIERS = (
    "mitochondrial", "nuclear", "cytoplasmic", "vacuolar", "Golgi", "endosomal", "peroxisomal",
    "mitotic", "meiotic", "nucleolar", "ribosomal", "transmembrane", "cortical", "bud neck",
    "cell wall", "ER", "perinuclear", "stress-induced", "starvation-induced", "heat-induced",
    "G1-phase", "S-phase", "G2-phase", "aerobic", "anaerobic", "early", "late", "basal",
    "selective", "conserved",
)  # fmt: skip
_ENDINGS = (
    (
        "processing", "transport", "biosynthesis", "catabolism", "modification", "localization",
        "assembly", "organization", "remodeling", "repair", "export", "import", "maturation",
        "degradation", "surveillance", "signaling", "homeostasis", "segregation", "recycling",
        "folding", "elongation", "initiation", "termination", "silencing", "inheritance",
    ),
    (
        "binding", "ligase activity", "kinase activity", "hydrolase activity",
        "transferase activity", "transporter activity", "helicase activity", "oxidase activity",
        "reductase activity", "chaperone activity", "regulator activity", "sensor activity",
    ),
    (
        "complex", "body", "membrane", "subunit", "granule", "matrix", "lumen", "scaffold",
        "tether", "envelope", "domain", "patch",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """Terms are numbered so that parents come before children, [T]; genes by name, [G].

    The last genes of `unannotated` belong nowhere.
    """

    term_ids: tuple[str, ...]
    term_names: tuple[str, ...]
    namespace: Ints  # [T] index into NAMESPACES
    stratum: Ints  # [T] namespace roots are 1
    edges: Ints  # [E, 2] child, parent; sorted
    part_of: Ints  # [F, 2] part, whole; sorted; together with `edges` still acyclic
    genes: tuple[str, ...]  # systematic names
    symbols: tuple[str, ...]  # standard names
    pairs: Ints  # [A, 2] term, gene annotated directly; sorted

    @cached_property
    def contained(self) -> Bools:
        """Which genes a term or any of its descendants is annotated with, [T, G]."""
        result = np.zeros((len(self.term_ids), len(self.genes)), dtype=bool)
        result[self.pairs[:, 0], self.pairs[:, 1]] = True
        for child, parent in self.edges[::-1]:
            result[parent] |= result[child]
        return result


def draw_cell(config: Simulate, rng: np.random.Generator) -> Cell:
    """Invent a cell of `config.terms` live terms, `config.genes` genes and so many pairs."""
    namespace, stratum = _draw_strata(config.terms, rng)
    edges, part_of, topic = _draw_edges(namespace, stratum, rng)
    numbers = 10 + rng.choice(99_000, config.terms, replace=False)
    numbers[: len(ROOTS)] = [int(root[3:]) for root in ROOTS]
    return Cell(
        term_ids=tuple(f"GO:{number:07d}" for number in numbers),
        term_names=_name_terms(namespace, topic, rng),
        namespace=namespace,
        stratum=stratum,
        edges=edges,
        part_of=part_of,
        genes=_name_genes(config.genes, rng),
        symbols=_name_symbols(config.genes, rng),
        pairs=_draw_pairs(config, edges, rng),
    )


def strata_of(terms: int) -> int:
    """Number of strata, virtual root included: 4 for 30 terms, 7 for 300, 13 for 4,000."""
    return int(2.3 * terms**0.215)


def _draw_strata(terms: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Namespace and stratum of each term, [T]: few at the top, most in the middle."""
    namespaces, strata = [np.arange(3)], [np.ones(3, dtype=np.int64)]
    deepest = strata_of(terms) - 1
    counts = [int(share * (terms - 3)) for share in _SHARES]
    counts[0] = terms - 3 - sum(counts[1:])
    for namespace, count in enumerate(counts):
        inner = np.arange(2, (deepest if namespace == 0 else max(2, round(0.8 * deepest))) + 1)
        x = (inner - 1) / (inner[-1] + 1)
        profile = x**1.5 * (1 - x) ** 1.8
        drawn = rng.choice(inner, count - len(inner), p=profile / profile.sum())
        strata.append(np.concatenate([inner, drawn]))
        namespaces.append(np.full(count, namespace))
    stratum, namespace_of = np.concatenate(strata), np.concatenate(namespaces)
    order = np.lexsort((namespace_of, stratum))
    return namespace_of[order], stratum[order]


def _draw_edges(
    namespace: Ints, stratum: Ints, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints]:
    """`is_a` and `part_of` edges, and the topic that terms inherit from their first parent.

    The first parent is one stratum up, so the drawn strata are the longest paths.
    """
    edges, part_of = set(), set()
    first = [0, 1, 2]  # parent of each term; the roots' is of no account
    topic = rng.permutation(len(stratum)) % len(_TOPICS)
    attraction = rng.lognormal(0, 0.7, len(stratum))
    for term in range(len(ROOTS), len(stratum)):
        near = namespace[:term] == namespace[term]
        above = np.flatnonzero(near & (stratum[:term] == stratum[term] - 1))
        parent = rng.choice(above, p=attraction[above] / attraction[above].sum())
        edges.add((term, int(parent)))
        if stratum[term] > 2:
            topic[term] = topic[parent]
        others = np.flatnonzero(near & (stratum[:term] < stratum[term]) & (stratum[:term] > 1))
        if len(others) and rng.random() < 0.25:
            edges.add((term, int(rng.choice(others))))
        first.append(int(parent))
        if rng.random() < IMPLIED_SHARE and parent >= len(ROOTS):
            edges.add((term, first[parent]))
        wholes = np.flatnonzero((stratum[:term] < stratum[term]) & (stratum[:term] > 1))
        if len(wholes) and rng.random() < 0.08:
            part_of.add((term, int(rng.choice(wholes))))
    return _sorted_pairs(edges), _sorted_pairs(part_of), topic


def _sorted_pairs(pairs: set[tuple[int, int]]) -> Ints:
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


def _name_terms(namespace: Ints, topic: Ints, rng: np.random.Generator) -> tuple[str, ...]:
    """Unique names; a branch keeps its topic: `RNA processing`, `mitochondrial RNA export`."""

    def names(kind: int, about: int) -> Iterator[str]:
        endings = rng.permutation(_ENDINGS[kind])
        yield from (f"{_TOPICS[about]} {ending}" for ending in endings)
        longer = list(product(_QUALIFIERS, endings))
        for index in rng.permutation(len(longer)):
            yield f"{longer[index][0]} {_TOPICS[about]} {longer[index][1]}"
        for number in range(1, len(namespace)):
            yield f"{_TOPICS[about]} {endings[0]} pathway {number}"

    sources = {(k, a): names(k, a) for k in range(3) for a in range(len(_TOPICS))}
    found = [next(sources[k, a]) for k, a in zip(namespace, topic, strict=True)]
    return (*NAMESPACES, *found[3:])


def _name_genes(count: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Distinct systematic names in random order, HO omitted."""
    arms = ((chromosome, arm) for chromosome in "ABCDEFGHIJKLMNOP" for arm in "LR")
    loci = [f"Y{c}{arm}{number:03d}" for (c, arm), number in product(arms, range(1, 401))]
    loci.remove(HO[:-1])
    strand = rng.choice(["W", "C"], count)
    return tuple(loci[index] + strand[i] for i, index in enumerate(rng.permutation(NAMES)[:count]))


def _name_symbols(count: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Distinct standard names such as `RPT6`."""
    letters = "ABCDEFGHIKLMNPRSTUVY"
    drawn = rng.permutation(len(letters) ** 3 * 9)[:count]
    stems = ["".join(stem) for stem in product(letters, repeat=3)]
    return tuple(f"{stems[index // 9]}{index % 9 + 1}" for index in drawn)


def unannotated(config: Simulate) -> int:
    """Genes without any annotation: about one assayed gene in a hundred."""
    return config.arrays // 100


def least_annotations(config: Simulate) -> int:
    """Pairs that are enough whatever the shape of the DAG."""
    return LEAF_GENES * config.terms + config.genes


def _draw_pairs(config: Simulate, edges: Ints, rng: np.random.Generator) -> Ints:
    """Exactly `config.annotations` pairs, some for every gene and for nearly every term.

    Some leaves stay meagre, and terms with a single child may have no gene of their own, so that
    pruning has something to do.
    """
    genes = config.genes - unannotated(config)
    children = np.bincount(edges[:, 1], minlength=config.terms)
    least = np.where(children > 0, INNER_GENES, LEAF_GENES)
    tidy = rng.random(config.terms) >= np.array([MEAGRE_SHARE, 0.3, 0.0])[np.minimum(children, 2)]
    least = np.where(tidy, least, np.where(children > 0, 0, rng.integers(0, 4, config.terms)))
    least[: len(ROOTS)], tidy[: len(ROOTS)] = 0, False
    rich = np.flatnonzero(tidy)
    codes = [rng.permutation(genes) + config.genes * rng.choice(rich, genes)]
    codes += [
        term * config.genes + rng.choice(genes, least[term], replace=False)
        for term in np.flatnonzero(least).tolist()
    ]
    found = np.unique(np.concatenate(codes))
    term_weight = rng.lognormal(0, 0.8, len(rich))
    gene_weight = rng.lognormal(0, 0.5, genes)
    while (missing := config.annotations - len(found)) > 0:
        terms = rng.choice(rich, 2 * missing, p=term_weight / term_weight.sum())
        drawn = rng.choice(genes, 2 * missing, p=gene_weight / gene_weight.sum())
        new = np.setdiff1d(terms * config.genes + drawn, found)
        found = np.union1d(found, rng.permutation(new)[:missing])
    return np.stack(np.divmod(found, config.genes), axis=1)
