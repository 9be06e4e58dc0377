"""Check everything that a build promises, by computing it again in another way where possible."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

from data_specs.cell_graph import CellGraph
from data_specs.chain import chain
from data_specs.errors import ArtefactError
from data_specs.layout import DataLayout, read_json
from data_specs.ledger_words import words
from data_specs.store import StoreReader, alleles_of
from data_specs.touching import few_touch
from pipeline.verify.hierarchy import (
    check_control,
    check_hierarchy,
    check_names,
    check_rows,
    check_strata,
)
from pipeline.verify.promises import BrokenPromiseError, require
from pipeline.verify.samples import check_alleles, check_blocks, check_split, check_states


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, whether it is kept, and the finding."""

    name: str
    passed: bool
    detail: str
    warning: bool = False  # the promise is kept, but perhaps not the user's intention


def verify(layout: DataLayout) -> Iterator[Check]:
    """Yield the checks in order, less those that an earlier failure makes impossible."""
    graph: CellGraph | None = None
    reader: StoreReader | None = None
    try:
        graph = CellGraph.read(layout.cell_graph)
        yield Check("cell graph", True, f"readable, fingerprint {graph.fingerprint[:12]}…")
    except ArtefactError as error:
        yield Check("cell graph", False, str(error))
    if graph is not None:
        control = (layout.cell_graph / "ledger.json").is_file()
        yield _run("hierarchy", lambda: check_hierarchy(graph, layout, control))
        if control:
            yield _run("control", lambda: check_control(graph, layout))
        yield _run("strata", lambda: check_strata(graph, layout))
        yield _run("wild type", lambda: check_rows(graph))
    try:
        reader = StoreReader(layout.store)
        if graph is not None:
            graph.require(reader.meta.fingerprint, "the store")
        yield Check("store", True, f"{reader.meta.samples:,} samples, {reader.meta.layout}")
    except ArtefactError as error:
        yield Check("store", False, str(error))
        reader = None
    if reader is not None:
        yield _run("blocks", lambda: check_blocks(reader))
    if graph is not None and reader is not None:
        yield _run("mutant states", lambda: check_states(graph, reader, layout))
        yield _run("split", lambda: check_split(reader, layout))
        if alleles_of(layout.store) is not None:
            yield _run("alleles", lambda: check_alleles(reader, layout))
    if graph is not None and (layout.genotypes / "gene_names.parquet").is_file():
        yield _run("names", lambda: check_names(graph, layout))
    stored = layout.store / "ledger.json"
    if stored.is_file() and (warning := few_touch(read_json(stored))):
        yield Check("touching", True, warning, warning=True)
    yield _run("ledger", lambda: _check_ledger(layout))
    yield _run("chain", lambda: _check_chain(layout))


def _run(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, True, check())
    except (BrokenPromiseError, ArtefactError) as error:
        return Check(name, False, str(error))
    except (OSError, KeyError, NotImplementedError, pl.exceptions.PolarsError) as error:
        return Check(name, False, f"{type(error).__name__}: {error}")


def _check_chain(layout: DataLayout) -> str:
    """Every artefact matches its link, and was made from the others."""
    links = list(chain(layout))
    for link in links:
        require(not link.fault, f"{link.name} {link.fault}")
    return " → ".join(f"{words(link.name)} {link.digest[:8]}" for link in links)


def _check_ledger(layout: DataLayout) -> str:
    """The counts of kept and dropped records add up to all."""
    lines = read_json(layout.annotations / "ledger.json")
    dropped = sum(lines["dropped"].values())
    require(lines["lines"] == lines["kept"] + dropped, "annotation lines do not add up")
    for total in ("lines", "kept"):
        by_file = [file[total] for file in lines.get("annotation_files", [])]
        fits = not by_file or sum(by_file) == lines[total]
        require(fits, f"annotation files do not add up: {total}")
    rows = read_json(layout.genotypes / "ledger.json")
    accounted = sum(rows["dropped"].values()) + rows["merged"] + rows["genotypes"]
    require(rows["rows"] == accounted, "genotype rows do not add up")
    return f"{lines['lines']:,} annotation lines and {rows['rows']:,} genotype rows add up"
