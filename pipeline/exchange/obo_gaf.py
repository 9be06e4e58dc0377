"""OBO and GAF of a hierarchy as it is: every edge an `is_a`, every pair a line.

They are read by the stages `ontology` and `annotations`, like any other OBO and GAF.
"""

import re

from pipeline.exchange.topology import Topology

ASPECTS = {"biological_process": "P", "cellular_component": "C", "molecular_function": "F"}


def write_obo(topology: Topology) -> str:
    """One stanza a term, sorted by id."""
    parents: dict[str, list[str]] = {term: [] for term in topology.terms}
    for child, parent in topology.edges:
        parents[child].append(parent)
    stanzas = [
        "format-version: 1.2\nontology: dcell\nremark: hierarchy as exported by dcell-data\n"
    ]
    for term in topology.terms:
        name = _escaped(topology.names.get(term, term))
        lines = ["[Term]", f"id: {_escaped(term)}", f"name: {name}"]
        if term in topology.namespaces:
            lines.append(f"namespace: {_escaped(topology.namespaces[term])}")
        above = ((p, topology.names.get(p, p)) for p in parents[term])
        lines += [f"is_a: {_escaped(parent)} ! {_escaped(name)}" for parent, name in above]
        stanzas.append("\n".join([*lines, ""]))
    return "\n".join(stanzas)


def _escaped(text: str) -> str:
    """A value, with the characters escaped that begin comments or modifiers, or end lines."""
    return re.sub(r"[\\{!]", r"\\\g<0>", text)


def write_gaf(topology: Topology) -> str:
    """One line a (term, gene) pair, GAF 2.1, sorted.

    The gene's id is in column 2, and in column 11 before its synonyms; the symbol in column 3 is
    the id where no other is known. Fields that the hierarchy no longer knows have
    a value that says so, or that passes every filter: evidence `IEA` (a pair may have been moved up
    by pruning), the date 1970-01-01, the taxon `unidentified`.
    """
    lines = ["!gaf-version: 2.1"]
    symbols, synonyms = topology.called("symbol"), topology.called("synonym")
    for term, gene in topology.annotations:
        aspect = ASPECTS.get(topology.namespaces.get(term, ""), "P")
        called = "|".join([gene, synonyms[gene]] if gene in synonyms else [gene])
        symbol = symbols.get(gene, gene)
        columns = ["DCELL", gene, symbol, "", term, "DCELL:export", "IEA", "", aspect, "", called,
                   "gene", "taxon:32644", "19700101", "DCELL", "", ""]  # fmt: skip
        lines.append("\t".join(columns))
    return "\n".join([*lines, ""])
