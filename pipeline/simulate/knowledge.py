"""Knowledge of the invented cell: its ontology as OBO 1.4, its annotations as GAF 2.2.

Both are as untidy as the real ones: alternative ids, obsolete terms with and without a replacement,
negated lines, genes without a systematic name, several lines for one (term, gene) pair.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.simulate.cell import NAMESPACES, ROOTS, Bools, Cell, Ints

# Evidence codes and how often they are drawn. Only a few pairs have IGI alone.
EVIDENCE = {
    "IDA": 0.25, "IMP": 0.20, "IEA": 0.20, "ISS": 0.08, "IPI": 0.06, "HDA": 0.06, "IBA": 0.06,
    "TAS": 0.04, "IGI": 0.05,
}  # fmt: skip
IGI_ALONE_SHARE = 0.03
REPEATED_SHARE = 0.6  # further lines for pairs that have one
NEGATED_SHARE, NAMELESS_SHARE = 0.004, 0.01  # further lines
QUALIFIERS = ("involved_in", "enables", "located_in")  # by namespace
ASPECTS = ("P", "F", "C")


@dataclass(frozen=True, slots=True)
class Aliases:
    """Ids beside those of the live terms."""

    alternatives: list[tuple[str, int]]  # alt_id, live term
    replaced: list[tuple[str, int]]  # obsolete id, the one live term that replaces it
    obsolete: list[tuple[str, tuple[int, ...]]]  # obsolete id, live terms to consider


def draw_aliases(cell: Cell, rng: np.random.Generator) -> Aliases:
    """Alt ids for 6 % of the terms; as many obsolete terms as 2 % with a replacement, 2 % without.

    Those without have no, one or two terms to consider, which say nothing of their annotations.
    """
    terms = len(cell.term_ids)
    many, few = max(3, round(0.06 * terms)), max(3, round(0.02 * terms))
    ids = (f"GO:{number:07d}" for number in 100_000 + rng.permutation(3 * terms))
    live = rng.integers(len(ROOTS), terms, (4, many)).tolist()
    consider = zip(live[2][:few], live[3][:few], strict=True)
    return Aliases(
        alternatives=[(next(ids), term) for term in live[0]],
        replaced=[(next(ids), term) for term in live[1][:few]],
        obsolete=[(next(ids), tuple({*pair[: i % 3]})) for i, pair in enumerate(consider)],
    )


def write_obo(cell: Cell, aliases: Aliases, version: str) -> str:
    """OBO 1.4, stanzas sorted by id."""
    named = [f"{i} ! {name}" for i, name in zip(cell.term_ids, cell.term_names, strict=True)]
    extra: dict[int, dict[str, list[str]]] = {}
    for key, pairs in (("is_a", cell.edges), ("relationship", cell.part_of)):
        for term, target in pairs.tolist():
            value = named[target] if key == "is_a" else f"part_of {named[target]}"
            extra.setdefault(term, {}).setdefault(key, []).append(value)
    for alt_id, term in aliases.alternatives:
        extra.setdefault(term, {}).setdefault("alt_id", []).append(alt_id)
    stanzas = []
    for term, (term_id, name) in enumerate(zip(cell.term_ids, cell.term_names, strict=True)):
        values = extra.get(term, {})
        stanzas.append(
            [
                f"id: {term_id}",
                f"name: {name}",
                f"namespace: {NAMESPACES[cell.namespace[term]]}",
                *(f"alt_id: {value}" for value in sorted(values.get("alt_id", ()))),
                f'def: "Simulated term: {name}." [GOC:simulated]',
                *(f"is_a: {value}" for value in sorted(values.get("is_a", ()))),
                *(f"relationship: {value}" for value in sorted(values.get("relationship", ()))),
            ]
        )
    retired: list[tuple[str, str, tuple[int, ...]]] = [
        (i, "replaced_by", (term,)) for i, term in aliases.replaced
    ]
    retired += [(i, "consider", terms) for i, terms in aliases.obsolete]
    for number, (term_id, key, terms) in enumerate(retired, start=1):
        namespace = cell.namespace[terms[0]] if key == "replaced_by" else 0
        stanzas.append(
            [
                f"id: {term_id}",
                f"name: obsolete term {number}",
                f"namespace: {NAMESPACES[namespace]}",
                'def: "OBSOLETE. Simulated term." [GOC:simulated]',
                "is_obsolete: true",
                *(f"{key}: {cell.term_ids[term]}" for term in sorted(terms)),
            ]
        )
    header = [
        "format-version: 1.4",
        f"data-version: {version}",
        "default-namespace: gene_ontology",
        "ontology: go",
    ]
    part_of = ["[Typedef]", "id: part_of", "name: part of", "is_transitive: true"]
    blocks = [header, *(["[Term]", *stanza] for stanza in sorted(stanzas)), part_of]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def write_gaf(cell: Cell, aliases: Aliases, certain: Bools, rng: np.random.Generator) -> str:
    """GAF 2.2, lines sorted; every pair of the cell has a line, and some have several.

    Args:
        cell: terms, genes and pairs.
        aliases: ids that a third of their terms' lines use, and ids that lead nowhere.
        certain: terms, [T], whose pairs never have IGI alone.
        rng: source of randomness.
    """
    pairs, terms, genes = len(cell.pairs), len(cell.term_ids), len(cell.genes)
    pair = np.concatenate([np.arange(pairs), rng.integers(0, pairs, int(REPEATED_SHARE * pairs))])
    codes = list(EVIDENCE)
    evidence = rng.choice(len(codes), len(pair), p=list(EVIDENCE.values()))
    igi = codes.index("IGI")
    alone = ~certain[cell.pairs[:, 0]] & (rng.random(pairs) < IGI_ALONE_SHARE)
    evidence[:pairs] = np.where(evidence[:pairs] == igi, codes.index("IMP"), evidence[:pairs])
    evidence[alone[pair]] = igi

    term, gene = cell.pairs[pair].T
    term_id = np.array(cell.term_ids, dtype=object)[term]
    for alias, target in aliases.alternatives + aliases.replaced:
        term_id[np.flatnonzero(term == target)[::3]] = alias

    nameless = max(1, genes // 100)  # RNA genes, numbered after the others
    negated, extra = (max(2, int(s * len(pair))) for s in (NEGATED_SHARE, NAMELESS_SHARE))
    lost = [term_id for term_id, _ in aliases.obsolete for _ in range(3)]
    more = rng.integers(len(ROOTS), terms, negated + extra)
    term = np.concatenate([term, more, np.zeros(len(lost), dtype=np.int64)])
    term_id = np.concatenate([term_id, np.array(cell.term_ids, dtype=object)[more], lost])
    gene = np.concatenate(
        [
            gene,
            rng.integers(0, genes, negated),
            rng.integers(genes, genes + nameless, extra),
            rng.integers(0, genes, len(lost)),
        ]
    )
    evidence = np.concatenate([evidence, np.zeros(len(more) + len(lost), dtype=np.int64)])
    lines = _gaf_columns(cell, nameless, term, gene, np.array(codes)[evidence], rng)
    is_negated = np.zeros(len(term), dtype=bool)
    is_negated[len(pair) : len(pair) + negated] = True
    table = lines.with_columns(
        c4=pl.when(pl.Series(is_negated)).then("NOT|" + pl.col("c4")).otherwise("c4"),
        c5=pl.Series(term_id.tolist()),
    )
    header = "!gaf-version: 2.2\n!generated-by: dcell simulate\n!date-generated: 2024-12-31\n"
    return header + table.sort(table.columns).write_csv(
        include_header=False, separator="\t", quote_style="never"
    )


def _gaf_columns(
    cell: Cell,
    nameless: int,
    term: Ints,
    gene: Ints,
    evidence: NDArray[np.str_],
    rng: np.random.Generator,
) -> pl.DataFrame:
    """The 17 columns `c1` … `c17` of N lines; the term ids (`c5`) are those of the live terms."""
    lines, genes = len(term), len(cell.genes) + nameless
    sgd_ids = pl.Series([f"S{number:09d}" for number in rng.permutation(genes) + 1])
    symbols = [*cell.symbols, *(f"NCR{number}" for number in range(nameless))]
    synonyms = [f"ncRNA {symbol}" for symbol in symbols]
    for index, (name, first) in enumerate(zip(cell.genes, rng.random(genes) < 0.5, strict=False)):
        other = f"{symbols[index][:3]}{index + 10}"
        synonyms[index] = f"{name}|{other}" if first else f"{other}|{name}"
    types = ["protein"] * len(cell.genes) + ["ncRNA"] * nameless
    papers = max(50, lines // 10)
    references = [f"SGD_REF:S{i:09d}|PMID:{7_000_000 + 150 * i}" for i in range(1, papers + 1)]
    days = np.arange("2001-01-01", "2025-01-01", dtype="datetime64[D]").astype(str)
    partner = "SGD:" + sgd_ids.gather(rng.integers(0, len(cell.genes), lines))
    domain = pl.Series([f"InterPro:IPR{number:06d}" for number in range(1, 1000)])
    namespace = cell.namespace[term]
    return pl.DataFrame(
        {
            "c1": pl.repeat("SGD", lines, eager=True),
            "c2": sgd_ids.gather(gene),
            "c3": pl.Series(symbols).gather(gene),
            "c4": pl.Series(QUALIFIERS).gather(namespace),
            "c5": pl.Series(cell.term_ids).gather(term),
            "c6": pl.Series(references).gather(rng.integers(0, papers, lines)),
            "c7": pl.Series(evidence.tolist()),
            "c8": domain.gather(rng.integers(0, len(domain), lines)),
            "c9": pl.Series(ASPECTS).gather(namespace),
            "c10": ("Simulated gene " + pl.Series(symbols)).gather(gene),
            "c11": pl.Series(synonyms).gather(gene),
            "c12": pl.Series(types).gather(gene),
            "c13": pl.repeat("taxon:559292", lines, eager=True),
            "c14": pl.Series(np.char.replace(days, "-", "").tolist()).gather(
                rng.integers(0, len(days), lines)
            ),
            "c15": pl.repeat("SGD", lines, eager=True),
            "c16": pl.repeat("", lines, eager=True),
            "c17": pl.repeat("", lines, eager=True),
        }
    ).with_columns(
        c8=pl.when(pl.col("c7").is_in(["IGI", "IPI", "ISS"]))
        .then(partner)
        .when(pl.col("c7") == "IEA")
        .then("c8")
        .otherwise(pl.lit(""))
    )
