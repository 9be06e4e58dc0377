"""Stage `ontology`: read the ontology into terms, edges of the chosen relations, and aliases.

OBO is read by goatools; ready-made hierarchies by `pipeline.exchange`.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx
import polars as pl
from goatools.obo_parser import OBOReader

from data_specs.errors import InputError
from data_specs.files import replacing_folder, write_text
from data_specs.layout import DataLayout
from data_specs.parameters import Parameters
from data_specs.raw_files import read_text
from data_specs.tables import ALIASES, EDGES, ROOT, TERMS, write_table
from pipeline.exchange.reading import reader_of
from pipeline.sources import input_files
from pipeline.stage import run_stage


@dataclass(frozen=True, slots=True)
class Ontology:
    """Terms, edges and aliases of an ontology, sorted (`data_specs.tables`).

    `aliases` lists every id that is not a live term but stands in the file, with `kind`:
    `alt_id` and `replaced_by` lead to the live term in `term`; `obsolete` leads nowhere (null).
    """

    terms: pl.DataFrame
    edges: pl.DataFrame
    aliases: pl.DataFrame
    version: str | None = None


def read_ontology(path: Path, relations: Iterable[str] = ("is_a",)) -> Ontology:
    """Read an OBO file or a ready-made hierarchy (`pipeline.exchange`), plain or gzipped.

    A file may name the virtual root itself, as those that this project exports do.

    Args:
        path: the file; the format is told by its content.
        relations: OBO relations that make edges (`is_a`, `part_of`, …).

    Raises:
        InputError: no terms, a parent that is not defined, a term defined twice, a cycle, or a
            parent above the virtual root.
    """
    text = read_text(path)
    reader = reader_of(text)
    if reader is not None:
        imported = reader(text, path)
        names, namespaces = imported.names, imported.namespaces
        ontology = _assemble(
            {t: _Record(t, names.get(t, t), namespaces.get(t, "")) for t in imported.terms},
            [(child, parent, "is_a") for child, parent in imported.edges],
        )
    else:
        ontology = _read_obo(text, path, tuple(relations))
    _refuse_cycles(ontology.edges, path)
    above = ontology.edges.filter(pl.col("child") == ROOT)["parent"]
    if not above.is_empty():
        raise InputError(
            f"{path}: '{above[0]}' is a parent of '{ROOT}', the id of the virtual root above all "
            "terms; expected no parent. Give that term another id."
        )
    return ontology


@dataclass(frozen=True, slots=True)
class _Record:
    """What is kept of one stanza."""

    term: str
    name: str
    namespace: str
    obsolete: bool = False
    alt_ids: tuple[str, ...] = ()
    replaced_by: tuple[str, ...] = ()
    parents: tuple[tuple[str, str], ...] = ()  # (relation, parent id as written)


class _AllReplacements(OBOReader):  # type: ignore[misc]
    """goatools keeps the last `replaced_by` of a term; whether it is the only one matters here."""

    def _add_to_ref(self, rec_curr: Any, line: str) -> None:
        tag, _, value = line.partition(": ")
        if tag in ("id", "alt_id", "replaced_by"):  # goatools keeps comments and qualifiers
            line = f"{tag}: {value.partition(' ')[0]}"
        if tag == "replaced_by":
            rec_curr.replacements = [*getattr(rec_curr, "replacements", []), line[13:]]
        super()._add_to_ref(rec_curr, line)


def _records(text: str, path: Path, relations: tuple[str, ...]) -> Iterator[_Record]:
    """Stanzas as goatools reads them; it wants a plain file, so the text goes through one."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "ontology.obo"
        write_text(plain, text)
        reader = _AllReplacements(str(plain), optional_attrs={"relationship"})
        record = None
        try:
            for record in reader:
                parents = [("is_a", parent) for parent in record._parents]
                for relation in relations:
                    parents += [(relation, p) for p in record.relationship.get(relation, ())]
                yield _Record(
                    term=record.item_id,
                    name=record.name,
                    namespace=record.namespace,
                    obsolete=record.is_obsolete,
                    alt_ids=tuple(sorted(record.alt_ids)),
                    replaced_by=tuple(getattr(record, "replacements", ())),
                    parents=tuple(sorted(parents)),
                )
        except (AssertionError, IndexError, ValueError) as error:
            after = f"after term {record.item_id}" if record is not None else "in the first term"
            raise InputError(
                f"{path}: {after}: not a readable [Term] stanza ({error or 'id or name twice'}). "
                "Expected one id and one name a stanza, and a blank line between stanzas."
            ) from None


def _read_obo(text: str, path: Path, relations: tuple[str, ...]) -> Ontology:
    records: dict[str, _Record] = {}
    for record in _records(text, path, relations):
        if not record.term or record.term in records:
            line = _line_of(text, f"id: {record.term}", nth=2 if record.term in records else 1)
            found = (
                f"'{record.term}' is defined twice"
                if record.term in records
                else "a [Term] stanza has no id"
            )
            raise InputError(f"{path}:{line}: {found}; expected one stanza for each term id.")
        records[record.term] = record
    if not records:
        raise InputError(
            f"{path}: no terms. Expected OBO with [Term] stanzas, a DCell topology "
            "(ROOT:/GENES:/TERMS:), a DrugCell ontology (three tab-separated columns), a GenNet "
            "topology.csv, CX2 or GraphML."
        )
    primary: dict[str, str] = {}
    for record in records.values():
        for alt_id in record.alt_ids:
            if alt_id in primary:
                raise InputError(
                    f"{path}:{_line_of(text, f'alt_id: {alt_id}', nth=2)}: alt_id '{alt_id}' is "
                    f"claimed by {primary[alt_id]} and {record.term}; expected one primary term."
                )
            if alt_id not in records:
                primary[alt_id] = record.term
    edges = []
    for record in records.values():
        for relation, written in record.parents:
            parent = primary.get(written, written)
            if parent not in records:
                line = _line_of(text, written, after=f"id: {record.term}")
                raise InputError(
                    f"{path}:{line}: {record.term} {relation} '{written}', which the file does "
                    "not define. Add the term, or use an ontology file that is complete."
                )
            if not record.obsolete and not records[parent].obsolete:
                edges.append((record.term, parent, relation))
    version = next(
        (x[13:].strip() for x in text.split("\n") if x.startswith("data-version:")), None
    )
    return _assemble(records, edges, primary, version)


def _assemble(
    records: Mapping[str, _Record],
    edges: Iterable[tuple[str, str, str]],
    primary: Mapping[str, str] | None = None,
    version: str | None = None,
) -> Ontology:
    primary = primary or {}

    def destination(term: str) -> tuple[str | None, str]:
        """The live term that a known id leads to, and why."""
        record = records[term]
        if not record.obsolete:
            return term, "alt_id"
        live = {primary.get(r, r) for r in record.replaced_by}
        live = {r for r in live if r in records and not records[r].obsolete}
        return (live.pop(), "replaced_by") if len(live) == 1 else (None, "obsolete")

    aliases = [(alt_id, *destination(term)) for alt_id, term in primary.items()]
    aliases += [(r.term, *destination(r.term)) for r in records.values() if r.obsolete]
    return Ontology(
        terms=_frame(
            ((r.term, r.name, r.namespace, r.obsolete) for r in records.values()), TERMS
        ).sort("term"),
        edges=_frame(edges, EDGES).unique().sort("child", "parent", "relation"),
        aliases=_frame(aliases, ALIASES).sort("id"),
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
            advice = f"Without '{left_out}' there is none: hierarchy.relations=[{', '.join(rest)}]."
            break
    else:
        if nx.is_directed_acyclic_graph(graph(["is_a"])):
            advice = "With is_a alone there is none: hierarchy.relations=[is_a]."
        else:
            advice = "It runs over is_a, so no choice of relations avoids it: mend the file."
    raise InputError(f"{path}: the ontology has a cycle: {chain}. {advice}")


def _line_of(text: str, wanted: str, *, nth: int = 1, after: str | None = None) -> int:
    """1-based number of the n-th line that holds `wanted` (below the line `after`), else 1."""
    started = after is None
    for number, line in enumerate(text.split("\n"), start=1):
        if not started:
            started = line.rstrip().partition(" !")[0] == after
        elif wanted in line:
            nth -= 1
            if nth == 0:
                return number
    return 1


def run(parameters: Parameters, layout: DataLayout) -> None:
    """Read the ontology named in `sources.json`; write `terms`, `edges` and `aliases`."""
    [(_, path)] = input_files(layout, "ontology")
    ontology = read_ontology(path, parameters.hierarchy.relations)
    with replacing_folder(layout.ontology, layout.own("ontology")) as folder:
        folder.mkdir()
        write_table(ontology.terms, folder / "terms.parquet")
        write_table(ontology.edges, folder / "edges.parquet")
        write_table(ontology.aliases, folder / "aliases.parquet")


if __name__ == "__main__":
    run_stage(run)
