"""Stage `ontology`: read the ontology into terms, edges of the chosen relations, and aliases.

OBO is read by `pipeline.ontology.obo`, its JSON by `pipeline.ontology.obo_graphs`; ready-made
hierarchies by `pipeline.exchange`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import networkx as nx
import polars as pl

from data_specs.errors import InputError, ParameterError
from data_specs.files import replacing_folder
from data_specs.layout import DataLayout, write_json
from data_specs.parameters import Parameters, absent
from data_specs.raw_files import read_text
from data_specs.tables import ALIASES, EDGES, ROOT, TERMS, write_table
from pipeline.annotations import AnnotationLines, read_lines
from pipeline.exchange import reader_of
from pipeline.ontology.obo import OboFile, Record, read_obo
from pipeline.ontology.obo_graphs import is_obo_graphs, read_obo_graphs
from pipeline.ontology.reactome import is_relations, read_relations
from pipeline.sources import input_files

# Why an edge of a chosen relation is none: its parent is obsolete; it holds under a condition only;
# its parent is not in the file.
DROPPED_EDGES = ("obsolete_parent", "conditional", "undefined_parent")
# Formats of ontologies beside OBO.
_READERS = ((is_obo_graphs, read_obo_graphs), (is_relations, read_relations))


@dataclass(frozen=True, slots=True)
class Ontology:
    """Terms, edges and aliases of an ontology, sorted (`data_specs.tables`).

    `aliases` lists every id that is not a live term but stands in the file, with `kind`:
    `alt_id` and `replaced_by` lead to the live term in `term`; `obsolete` leads nowhere (null).
    `dropped_edges` counts edges of live terms by reason (`DROPPED_EDGES`), `unknown_tags` lines by
    a tag that OBO does not have.
    """

    terms: pl.DataFrame
    edges: pl.DataFrame
    aliases: pl.DataFrame
    version: str | None = None
    dropped_edges: Mapping[str, int] = field(
        default_factory=lambda: dict.fromkeys(DROPPED_EDGES, 0)
    )
    unknown_tags: Mapping[str, int] = field(default_factory=dict)


def read_ontology(
    path: Path, relations: Iterable[str] = ("is_a",), undefined_parents: str = "error"
) -> Ontology:
    """Read OBO, OBO graphs JSON or a ready-made hierarchy (`pipeline.exchange`), plain or packed.

    A file may name the virtual root itself, as those that this project exports do.

    Args:
        path: the file; its content tells the format.
        relations: OBO relations that make edges (`is_a`, `part_of`, …).
        undefined_parents: an edge to a term that the file does not define is an `error`, or
            dropped and counted (`skip`).

    Raises:
        InputError: no terms, a line that is no OBO, a parent that is not defined, a term defined
            twice, a cycle, or a parent above the virtual root.
        ParameterError: a relation that no live term has.
    """
    text = read_text(path)
    reader = reader_of(text)
    if reader is not None:
        imported = reader(text, path)
        names, namespaces = imported.names, imported.namespaces
        records = {t: Record(t, names.get(t, t), namespaces.get(t, "")) for t in imported.terms}
        _refuse_absent_relations(records, path, relations)
        ontology = _assemble(records, [(child, parent, "is_a") for child, parent in imported.edges])
    else:
        read = next((reader for fits, reader in _READERS if fits(text)), read_obo)
        ontology = _assemble_obo(read(text, path), path, tuple(relations), undefined_parents)
    _refuse_cycles(ontology.edges, path)
    above = ontology.edges.filter(pl.col("child") == ROOT)["parent"]
    if not above.is_empty():
        raise InputError(
            f"{path}: '{above[0]}' is a parent of '{ROOT}', the id of the virtual root above all "
            "terms; expected no parent. Give that term another id."
        )
    return ontology


def _assemble_obo(
    obo: OboFile, path: Path, relations: tuple[str, ...], undefined_parents: str
) -> Ontology:
    records = obo.records
    _refuse_absent_relations(records, path, relations)
    primary = _primary_terms(records, path)
    dropped = dict.fromkeys(DROPPED_EDGES, 0)
    edges = []
    for record in records.values():
        for edge in record.parents:
            if edge.relation not in relations:
                continue
            if edge.conditional:
                dropped["conditional"] += not record.obsolete
                continue
            parent = primary.get(edge.term, edge.term)
            if parent not in records:
                if undefined_parents == "error":
                    raise InputError(
                        f"{_at(path, edge.line)}: {record.term} {edge.relation} '{edge.term}', "
                        "which the file does not define. Add the term, or use an ontology file "
                        "that is complete; ontology.undefined_parents=skip counts such edges "
                        "instead."
                    )
                dropped["undefined_parent"] += not record.obsolete
            elif not record.obsolete:
                if records[parent].obsolete:
                    dropped["obsolete_parent"] += 1
                else:
                    edges.append((record.term, parent, edge.relation))
    return replace(
        _assemble(records, edges, primary, obo.version),
        dropped_edges=dropped,
        unknown_tags=obo.unknown_tags,
    )


def _at(path: Path, line: int) -> str:
    """File and line; the nodes and edges of JSON have none."""
    return f"{path}:{line}" if line else str(path)


def _refuse_absent_relations(
    records: Mapping[str, Record], path: Path, relations: Iterable[str]
) -> None:
    there = {e.relation for r in records.values() if not r.obsolete for e in r.parents} | {"is_a"}
    for relation in relations:
        if relation not in there:
            where = f"no live term of {path}"
            raise ParameterError(absent(relation, sorted(there), "ontology.relations", where))


def _primary_terms(records: Mapping[str, Record], path: Path) -> dict[str, str]:
    """The term that an alternative id stands for.

    An id that is defined itself stands for itself, unless it is an obsolete stub that says nothing
    of what replaces it, and exactly one live term claims it.
    """
    claims: dict[str, list[tuple[Record, int]]] = {}
    for record in records.values():
        for alt_id, line in record.alt_ids.items():
            claims.setdefault(alt_id, []).append((record, line))
    primary = {}
    for alt_id, claimants in claims.items():
        if (stub := records.get(alt_id)) is None:
            if len(claimants) > 1:
                (first, _), (second, line), *_ = claimants
                raise InputError(
                    f"{_at(path, line)}: alt_id '{alt_id}' is claimed by {first.term} and "
                    f"{second.term}; expected one primary term."
                )
            primary[alt_id] = claimants[0][0].term
        elif stub.obsolete and not stub.replaced_by:
            live = [record.term for record, _ in claimants if not record.obsolete]
            if len(live) == 1:
                primary[alt_id] = live[0]
    return primary


def _assemble(
    records: Mapping[str, Record],
    edges: Iterable[tuple[str, str, str]],
    primary: Mapping[str, str] | None = None,
    version: str | None = None,
) -> Ontology:
    primary = primary or {}

    def destination(start: str) -> str | None:
        """The one live term that a term's replacements lead to, through obsolete ones too."""
        ends, seen, todo = set(), {start}, list(records[start].replaced_by)
        while todo:
            term = todo.pop()
            term = primary.get(term, term)
            if term in seen or term not in records:
                continue
            seen.add(term)
            if records[term].obsolete:
                todo += records[term].replaced_by
            else:
                ends.add(term)
        return ends.pop() if len(ends) == 1 else None

    aliases: list[tuple[str, str | None, str]] = []
    for id_ in sorted(primary.keys() | {r.term for r in records.values() if r.obsolete}):
        term = primary.get(id_, id_)
        term = primary.get(term, term)  # which may be a stub that is an alternative id itself
        if not records[term].obsolete:
            aliases.append((id_, term, "alt_id"))
        elif (end := destination(term)) is not None:
            aliases.append((id_, end, "replaced_by"))
        else:
            aliases.append((id_, None, "obsolete"))
    return Ontology(
        terms=_frame(
            ((r.term, r.name, r.namespace, r.obsolete) for r in records.values()), TERMS
        ).sort("term"),
        edges=_frame(edges, EDGES).unique().sort("child", "parent", "relation"),
        aliases=_frame(aliases, ALIASES),
        version=version,
    )


def _frame(rows: Iterable[tuple[Any, ...]], schema: Any) -> pl.DataFrame:
    empty = pl.DataFrame(pl.from_arrow(schema.empty_table()))
    return pl.DataFrame(list(rows), schema=empty.schema, orient="row")


def _refuse_cycles(edges: pl.DataFrame, path: Path) -> None:
    """Print the cycle, relation by relation, and name a choice of relations without one."""

    def graph(relations: Iterable[str]) -> Any:
        chosen = edges.filter(pl.col("relation").is_in(list(relations)))
        return nx.DiGraph(chosen.select("child", "parent").rows())

    relations = edges["relation"].unique().sort().to_list()
    if nx.is_directed_acyclic_graph(graph(relations)):
        return
    relation_of = {(child, parent): relation for child, parent, relation in edges.iter_rows()}
    steps = nx.find_cycle(graph(relations))
    start = steps.index(min(steps))  # the same cycle reads the same, wherever the search began
    chain = steps[0 + start][0] + "".join(
        f" -{relation_of[step]}-> {step[1]}" for step in steps[start:] + steps[:start]
    )
    for left_out in sorted({relation_of[step] for step in steps} - {"is_a"}):
        rest = [relation for relation in relations if relation != left_out]
        if nx.is_directed_acyclic_graph(graph(rest)):
            advice = f"Without '{left_out}' there is none: ontology.relations=[{', '.join(rest)}]."
            break
    else:
        if nx.is_directed_acyclic_graph(graph(["is_a"])):
            advice = "With is_a alone there is none: ontology.relations=[is_a]."
        else:
            advice = "It runs over is_a, so no choice of relations avoids it: correct the file."
    raise InputError(f"{path}: the ontology has a cycle: {chain}. {advice}")


def named(ontology: Ontology, annotations: Iterable[AnnotationLines]) -> Ontology:
    """An ontology whose terms have the names that annotation files give beside their ids."""
    names: dict[str, str] = {}
    for lines in annotations:
        names = {**lines.term_names, **names}
    if not names:
        return ontology
    term = pl.col("term")
    name = term.replace_strict(names, default=term, return_dtype=pl.String)
    return replace(ontology, terms=ontology.terms.with_columns(name=name))


def run(parameters: Parameters, layout: DataLayout) -> None:
    """Read the ontology named in `sources.json`; write its tables and the ledger."""
    [(_, path)] = input_files(layout, "ontology")
    config = parameters.ontology
    ontology = read_ontology(path, config.relations, config.undefined_parents)
    if ontology.terms["name"].equals(ontology.terms["term"]):  # of relations alone
        ontology = named(
            ontology, [read_lines(file) for _, file in input_files(layout, "annotations")]
        )
    with replacing_folder(layout.ontology, layout.own("ontology")) as folder:
        folder.mkdir()
        write_table(ontology.terms, folder / "terms.parquet")
        write_table(ontology.edges, folder / "edges.parquet")
        write_table(ontology.aliases, folder / "aliases.parquet")
        ledger = {
            "dropped_edges": dict(ontology.dropped_edges),
            "unknown_tags": dict(ontology.unknown_tags),
        }
        write_json(folder / "ledger.json", ledger)
