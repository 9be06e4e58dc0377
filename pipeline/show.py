"""Print the content of a build, and the terms that one genotype's deletions touch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_specs import ledger_words
from data_specs.cell_graph import CellGraph
from data_specs.chain import chain
from data_specs.errors import ArtefactError, InputError
from data_specs.gene_names import GeneNames
from data_specs.gene_states import with_state
from data_specs.genotype_text import split_names
from data_specs.layout import DataLayout, read_json
from data_specs.measurement_error import best_scores, told_by
from data_specs.mutant_state import StateEncoder
from data_specs.store import StoreReader, alleles_of
from data_specs.tables import ALLELES, PARTS
from data_specs.touching import ambiguous_names, few_touch
from pipeline.cell_graph import control_of


def show(layout: DataLayout, genotype: str | None = None, run: Path | None = None) -> None:
    """Print sources, hierarchy, store and split of a build, then the terms of one genotype.

    Args:
        layout: the build.
        genotype: systematic, standard or other names of genes, separated as `split_names` says; by
            default the store's first sample.
        run: folder of a run on the build, for the end of the chain of fingerprints.

    Raises:
        ArtefactError: the folder is not a build, or the chain of fingerprints is broken.
        InputError: a name of no gene of the build, or of several.
    """
    graph = CellGraph.read(layout.cell_graph)
    reader = StoreReader(layout.store)
    graph.require(reader.meta.fingerprint, "the store")
    sources = read_json(layout.sources / "sources.json")
    lines = read_json(layout.annotations / "ledger.json")
    rows = read_json(layout.genotypes / "ledger.json")
    split = read_json(layout.split / "ledger.json")
    stored = read_json(layout.store / "ledger.json")
    print(f"\n{layout.root}")
    for entry in sources["inputs"]:
        version = f"  {entry['version']}" if entry["version"] else ""
        _line("input", f"{entry['path']}{version}")
    path = layout.ontology / "ledger.json"
    _lines("ontology", *ledger_words.of_ontology(read_json(path) if path.is_file() else {}))
    _lines("annotations", *ledger_words.of_annotations(lines))
    _line(
        "hierarchy",
        f"{graph.num_terms:,} terms in {graph.num_strata} strata, {len(graph.edges):,} edges",
    )
    if control := control_of(layout):
        _line("control", str(control))
    genes = f"{graph.num_genes:,}"
    if graph.channels:
        genes = f"{graph.num_genes // len(graph.channels):,} of {len(graph.channels)} channels each"
    _line("genes", f"{genes} in {len(graph.annotations):,} (term, gene) rows")
    _lines("genotypes", *ledger_words.of_genotypes(rows))
    _lines("store", *ledger_words.of_store(stored), f"layout {reader.meta.layout}")
    _lines("names", *ledger_words.of_names(rows, stored))
    _show_phenotypes(reader.meta.phenotypes, rows["files"])
    for estimate in rows.get("noise", {}).get(reader.meta.phenotypes[0], []):
        _lines("noise", f"{told_by(estimate)},", best_scores(estimate))
    parts = {part: split[part] for part in PARTS if part in split}
    apart = "; alleles of one genotype apart" if ALLELES in split else ""
    _line("split", f"{split['method']}: {ledger_words.counted(parts)}{apart}")
    path = layout.networks / "ledger.json"
    networks = read_json(path)["networks"] if path.is_file() else {}
    for name, network in networks.items():
        first, *others = ledger_words.of_network(network)
        _lines("network", f"{name}: {first}", *others)
    for warning in (few_touch(stored), ambiguous_names(rows.get("names", {}))):
        if warning:
            _line("warning", warning)
    _line("fingerprint", graph.fingerprint)
    _show_genotype(graph, reader, genotype)
    _show_chain(layout, run)


def _show_phenotypes(phenotypes: Sequence[str], files: Sequence[Mapping[str, Any]]) -> None:
    """Print the predicted column, the others, and those that were dropped, with reasons."""
    target, *others = phenotypes
    also = f"; also {', '.join(others)}" if others else ""
    _line("phenotypes", f"{target} is predicted by default{also}")
    for file in files:
        if left_out := file.get("left_out"):  # earlier builds do not say
            columns = (f"{name} ({why})" for name, why in left_out.items())
            _line("omitted", f"{', '.join(columns)} of {file['path']}")
        for name, words in file.get("not_measured", {}).items():
            found = ", ".join(f"{word} {count:,}" for word, count in words.items())
            _line("not measured", f"{name} of {file['path']}: {found}")


def _line(label: str, text: str) -> None:
    print(f"  {label:<12} {text}")


def _lines(label: str, *texts: str) -> None:
    """Lines of one subject, which the first one names."""
    for number, text in enumerate(texts):
        _line("" if number else label, text)


def _show_chain(layout: DataLayout, run: Path | None) -> None:
    print("\n  chain of fingerprints, each made from the ones before:")
    links = list(chain(layout, run))
    for link in links:
        print(f"  {ledger_words.words(link.name):<12} {link.digest[:32]}  {link.fault or 'fits'}")
    broken = [ledger_words.words(link.name) for link in links if link.fault]
    if broken:
        raise ArtefactError(
            f"{layout.root}: the chain is broken at {', '.join(broken)}: take all parts from one "
            "build, or build and train again"
        )


def _show_genotype(graph: CellGraph, reader: StoreReader, genotype: str | None) -> None:
    ids = [*graph.gene_ids, *reader.meta.other_genes]
    names = GeneNames.of(graph)
    if genotype is None:
        block = reader.block(0)
        own = slice(*block.gene_offsets[:2])
        genes = block.genes[own].astype(np.int64)
        states = [0.0] * len(genes) if block.states is None else block.states[own].tolist()
    else:
        parts = [names.name_and_state(part) for part in split_names(genotype, names.whole)]
        numbers = _indices([name for name, _ in parts], ids, names)
        of_gene: dict[int, float] = {}
        for number, (_, state) in zip(numbers, parts, strict=True):
            of_gene.setdefault(number, state)
        genes, states = np.array(list(of_gene), dtype=np.int64), list(of_gene.values())
    encoder = StateEncoder(graph, len(ids))
    _, rows, _ = encoder.delta(np.array([0, len(genes)]), genes)
    named = zip(genes, states, strict=True)
    deleted = ", ".join(with_state(names.both(ids[gene]), state) for gene, state in named)
    _show_alleles(reader, genes)
    print(f"\n  deleting {deleted} changes {len(rows)} rows:")
    print(f"  {'stratum':>7}  {'genes':>6}  {'hit':>3}  term")
    terms = graph.annotations[rows, 0]
    for term in np.unique(terms):
        hit = int((terms == term).sum())
        label = f"{graph.term_ids[term]} {graph.term_names[term]}"
        print(
            f"  {graph.strata[term]:>7}  {graph.genes_contained[term]:>6,}  {hit:>3}  {label[:55]}"
        )


def _show_alleles(reader: StoreReader, genes: npt.NDArray[np.int64]) -> None:
    """Print the samples of a genotype, where the build kept the alleles apart."""
    alleles = alleles_of(reader.folder)
    if alleles is None:
        return
    wanted, target = np.sort(genes), reader.meta.phenotypes[0]
    print(f"\n  {'sample':>7}  {target:>11}  {'rows':>4}  alleles")
    for number, entry in enumerate(reader.meta.blocks):
        block = reader.block(number)
        offsets = block.gene_offsets.astype(np.int64)
        samples = np.flatnonzero(np.diff(offsets) == len(wanted))
        of_each = block.genes[offsets[samples, None] + np.arange(len(wanted))]
        for sample in samples[(np.sort(of_each, axis=1) == wanted).all(axis=1)].tolist():
            value, count = (float(block.phenotypes[name][sample]) for name in (target, "count"))
            named = alleles[entry.first + sample] or "not named"
            print(f"  {entry.first + sample:>7}  {value:>11.4f}  {count:>4.0f}  {named}")


def _indices(given: list[str], ids: list[str], names: GeneNames) -> list[int]:
    """The genes of a genotype, in the order given."""
    if not given:
        raise InputError("--genotype names no gene; expected 'YAL001C|YBR002C'")
    index = {gene: position for position, gene in enumerate(ids)}
    found = []
    for name in given:
        gene = names.resolve(name).gene  # a name that no gene has may be one without annotation
        if gene not in index:
            raise InputError(
                f"{names.explain(name)}, and no genotype of the store has it"
                if names.gene(name)
                else f"{names.explain(name)}. Write a systematic or standard name, or a synonym."
            )
        found.append(index[gene])
    return found
