"""Write the hierarchy of a build, or of a file that a build reads, in another program's format."""

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import polars as pl

from data_specs.cell_graph import CellGraph
from data_specs.cell_lines import without_channels
from data_specs.errors import ArtefactError, InputError
from data_specs.files import replacing_folder
from data_specs.layout import MARKER, DataLayout
from data_specs.output_folders import FolderKind, refuse_not_empty, taken
from data_specs.outputs import refuse_part_of
from data_specs.raw_files import read_text
from data_specs.tables import ROOT
from pipeline.exchange import (
    FORMATS,
    FormatName,
    Topology,
    cx2,
    gennet,
    graphml,
    obo_gaf,
    reader_of,
    topology,
)
from pipeline.export import cellmaps_tables
from pipeline.ontology import read_ontology

WRITERS: dict[str, Callable[[Topology], str]] = {
    "drugcell_ont.txt": topology.to_drugcell,
    "hierarchy.topology": topology.to_dcell,
    "gene2ind.txt": topology.to_gene_indices,
    "topology.csv": gennet.write,
    "hierarchy.cx2": cx2.write,
    cx2.PARENT: cx2.write_parent,
    "hierarchy.obo": obo_gaf.write_obo,
    "annotations.gaf": obo_gaf.write_gaf,
    "hierarchy.graphml": graphml.write,
}


def export(
    source: Path,
    kind: FormatName,
    out: Path,
    phenotype: str | None = None,
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Write a hierarchy as a folder of files.

    Args:
        source: folder of a build, or a hierarchy file with annotations of its own.
        kind: one of `FORMATS`.
        out: folder to write, new or empty.
        phenotype: with `cx2` and a build, its genotypes with this phenotype are written, too, as
            `cellmaps_tables` says; default: none are.
        overwrite: replace files of the names that are written; all others in the folder stay.

    Returns:
        The files.

    Raises:
        InputError: a source that has no hierarchy with annotations, an id that the format cannot
            hold, a folder with something in it, or genotypes that cannot be written.
    """
    if phenotype is not None and (kind != "cx2" or not source.is_dir()):
        raise InputError(
            f"{source}: genotypes are written with the hierarchy of a build as cx2 only; give the "
            "folder of a build and --format cx2, or omit --genotypes"
        )
    names = (*FORMATS[kind].files, *(cellmaps_tables.FILES if phenotype else ()))
    with taken(out, FolderKind("export", names, ()), overwrite=overwrite, inputs=[source]):
        refuse_not_empty(out, overwrite=overwrite)
        if (out / MARKER).is_file():
            for name in names:
                refuse_part_of(out / name, out, DataLayout(out).own_of_all(), "build")
        hierarchy = load(source)
        texts = render(hierarchy, kind)
        with replacing_folder(out, names) as folder:
            folder.mkdir()
            for name, text in texts.items():
                (folder / name).write_text(text, encoding="utf-8", newline="")
            if phenotype is not None:
                layout = DataLayout(source)
                cellmaps_tables.write_genotypes(layout, hierarchy.genes, phenotype, folder)
    return [out / name for name in names]


def load(source: Path) -> Topology:
    """The pruned hierarchy of a build, or that of a file as it is."""
    if source.is_dir():
        layout = DataLayout(source)
        graph = without_channels(CellGraph.read(layout.cell_graph))
        try:
            table = pl.read_parquet(layout.hierarchy / "terms.parquet", glob=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ArtefactError(
                f"{layout.hierarchy / 'terms.parquet'}: not readable ({error}). Build it again."
            ) from None
        return of_cell_graph(graph, dict(table.select("term", "namespace").iter_rows()))
    text = read_text(source)
    reader = reader_of(text)
    if reader is None:
        raise InputError(
            f"{source}: holds no hierarchy with annotations of its own (an OBO has none). Build it "
            "with its annotations first (dcell-data build), and export the folder of the build."
        )
    read_ontology(source)  # refuses cycles
    return reader(text, source)


def of_cell_graph(graph: CellGraph, namespaces: dict[str, str] | None = None) -> Topology:
    """A cell graph by names; genes without annotation are omitted."""
    terms, genes = graph.term_ids, graph.gene_ids
    return Topology.of(
        terms,
        ((terms[child], terms[parent]) for child, parent in graph.edges),
        ((terms[term], genes[gene]) for term, gene in graph.annotations),
        dict(zip(terms, graph.term_names, strict=True)),
        namespaces,
        graph.gene_names,
    )


def render(hierarchy: Topology, kind: FormatName) -> dict[str, str]:
    """The texts of a format by file name; terms without a parent hang under one root.

    Raises:
        InputError: an id that the format cannot hold.
    """
    _refuse_odd_ids(hierarchy, kind)
    rooted = _rooted(hierarchy)
    return {name: WRITERS[name](rooted) for name in FORMATS[kind].files}


def _rooted(hierarchy: Topology) -> Topology:
    """The other programs want one root; a build makes the same of several."""
    if len(hierarchy.roots) == 1:
        return hierarchy
    above = [(term, ROOT) for term in hierarchy.roots if term != ROOT]
    return Topology.of(
        (*hierarchy.terms, ROOT),
        (*hierarchy.edges, *above),
        hierarchy.annotations,
        {**hierarchy.names, ROOT: "root"},
        hierarchy.namespaces,
        hierarchy.gene_names,
    )


def _refuse_odd_ids(hierarchy: Topology, kind: FormatName) -> None:
    """A separator in an id would cut it in two when the file is read, silently."""
    separators = r"^\s|\s$" if FORMATS[kind].any_id else r"[\s,|]"
    for what, ids in (("term", hierarchy.terms), ("gene", hierarchy.genes)):
        for name in ids:
            if not name or re.search(separators, name) or _unprintable(name):
                raise InputError(
                    f"the {what} id {name!r} cannot be exported as {kind}: expected at least one "
                    "letter, and no white space, ',' or '|', which separate ids there. Rename it "
                    "in the source, or take graphml, whose ids may hold them inside."
                )
    for term, name in (*hierarchy.names.items(), *hierarchy.namespaces.items()):
        if _unprintable(name):
            raise InputError(
                f"term '{term}': the name {name!r} cannot be exported: it holds a control "
                "character. Correct it in the source."
            )
    if "gene names" in FORMATS[kind].keeps:
        for name, gene, _ in hierarchy.gene_names:
            if "|" in name or name != name.strip() or _unprintable(name):
                raise InputError(
                    f"gene '{gene}': the name {name!r} cannot be exported as {kind}: it holds a "
                    "'|', which separates names, a control character, or white space at an end. "
                    "Correct it in the source."
                )


def _unprintable(text: str) -> bool:
    return any(unicodedata.category(letter) in ("Cc", "Cs", "Cn", "Zl", "Zp") for letter in text)
