"""Cell lines in the files of DrugCell, NeST-VNN and cellmaps_vnn, and the channels of their genes.

`gene2ind.txt` and `cell2ind.txt` number genes and cell lines. Every other file, such as
`cell2mutation.txt`, `cell2cndeletion.txt` or `cell2cnamplification.txt`, has a row of zeros and
ones a cell line: 1 where a gene is altered in this way. What its name has behind `cell2` is the
*channel*.

With several channels kept apart, each gene of the cell graph is as many inputs, `TP53:mutation`,
`TP53:cndeletion`, which have its annotations: whatever reads genotypes reads them as genes. The
state of an input is 1 where the gene is not altered in this way, as everywhere.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_specs.cell_graph import CellGraph
from data_specs.errors import InputError
from data_specs.layout import DataLayout, read_json

BETWEEN = ":"  # a gene and its channel
_GENES, _CELLS, _ANY = "gene2ind", "cell2ind", "cell2"
_CHANNEL = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class CellFiles:
    """The files that say which genes are altered in which cell lines.

    Attributes:
        genes, cells: number genes and cell lines.
        alterations: the tables by channel, in the order of the channels' names.
    """

    genes: Path
    cells: Path
    alterations: dict[str, Path]

    @classmethod
    def of(cls, paths: Iterable[Path]) -> "CellFiles":
        """Tell the files by their names.

        Raises:
            InputError: one is missing, there twice, or of another name.
        """
        found: dict[str, Path] = {}
        for path in paths:
            stem = path.name.split(".")[0]
            if stem in found:
                raise InputError(f"{path}: a second '{stem}' beside {found[stem]}; give one")
            if stem not in (_GENES, _CELLS) and not _is_alterations(stem):
                raise InputError(
                    f"{path}: not one of the files of cell lines; expected gene2ind.txt, "
                    "cell2ind.txt, and cell2mutation.txt or others named cell2CHANNEL.txt"
                )
            found[stem] = path
        tables = {stem.removeprefix(_ANY): p for stem, p in found.items() if _is_alterations(stem)}
        for stem, name in ((_GENES, "gene2ind.txt"), (_CELLS, "cell2ind.txt")):
            if stem not in found:
                raise InputError(f"sources.cells has no {name}; give it beside the tables")
        if not tables:
            raise InputError("sources.cells has no table of alterations, such as cell2mutation.txt")
        return cls(found[_GENES], found[_CELLS], dict(sorted(tables.items())))


def _is_alterations(stem: str) -> bool:
    rest = stem.removeprefix(_ANY)
    return stem.startswith(_ANY) and stem != _CELLS and bool(_CHANNEL.fullmatch(rest))


def channels_of(layout: DataLayout, *, apart: bool) -> tuple[str, ...]:
    """The channels of a build, sorted; none where genes have one input each.

    Args:
        layout: of the build, with the files that the stage `sources` noted.
        apart: whether channels are kept apart.
    """
    names = read_json(layout.sources / "sources.json").get("cells") or []
    if not names or not apart:
        return ()
    channels = tuple(CellFiles.of(map(Path, names)).alterations)
    return channels if len(channels) > 1 else ()


def input_name(gene: str, channel: str) -> str:
    """What the input of a gene's channel is called."""
    return f"{gene}{BETWEEN}{channel}"


def gene_and_channel(name: str) -> tuple[str, str]:
    """The parts of the name of an input."""
    gene, _, channel = name.rpartition(BETWEEN)
    return gene, channel


def names_of_inputs(
    rows: Iterable[tuple[str, str, str]], channels: Sequence[str]
) -> list[tuple[str, str, str]]:
    """Names of genes (`data_specs.tables.GENE_NAMES`) as names of their inputs."""
    return [
        (input_name(name, channel), input_name(gene, channel), kind)
        for name, gene, kind in rows
        for channel in channels
    ]


def with_channels(graph: CellGraph, channels: Sequence[str]) -> CellGraph:
    """The cell graph in which every gene is an input a channel; the same without channels."""
    if not channels:
        return graph
    names = [[input_name(gene, channel) for channel in channels] for gene in graph.gene_ids]
    ids = sorted(name for own in names for name in own)
    index = {name: number for number, name in enumerate(ids)}
    numbers = np.array([[index[name] for name in own] for own in names]).reshape(-1, len(channels))
    term, gene = graph.annotations.T
    pairs = np.stack([np.repeat(term, len(channels)), numbers[gene].reshape(-1)], axis=1)
    return dataclasses.replace(
        graph,
        gene_ids=ids,
        annotations=pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))],
        gene_names=tuple(names_of_inputs(graph.gene_names, channels)),
        channels=tuple(channels),
    )


def without_channels(graph: CellGraph) -> CellGraph:
    """The cell graph of genes, for what knows no channels."""
    if not graph.channels:
        return graph
    genes = [gene_and_channel(name)[0] for name in graph.gene_ids]
    ids = sorted(set(genes))
    index = {gene: number for number, gene in enumerate(ids)}
    term, number = graph.annotations.T
    own = np.array([index[gene] for gene in genes], dtype=np.int64)
    names = {
        (gene_and_channel(name)[0], gene_and_channel(gene)[0], kind)
        for name, gene, kind in graph.gene_names
    }
    return dataclasses.replace(
        graph,
        gene_ids=ids,
        annotations=np.unique(np.stack([term, own[number]], axis=1), axis=0).reshape(-1, 2),
        gene_names=tuple(sorted(names)),
        channels=(),
    )
