"""The genotypes of a build as the tables that `cellmaps_vnn` trains on and predicts.

Where it has cell lines, here are genotypes: a row of `cell2mutation.txt` is 1 at deleted genes, in
the order of `gene2ind.txt`. It asks for copy numbers, too, in tables of the same shape: all 0,
unless the genes of the build have these channels (`data_specs.cell_lines`).
`training_data.txt` has the training and the validation part, since it draws a fifth to validate on
itself; `predict_data.txt` has the test part. Genes that no term has are in the names only.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from data_specs import chain
from data_specs.cell_graph import CellGraph
from data_specs.cell_lines import gene_and_channel
from data_specs.errors import ArtefactError, InputError
from data_specs.layout import DataLayout, write_json
from data_specs.parameters import no_such
from data_specs.store import StoreReader, alleles_of
from data_specs.tables import PARTS

MUTATIONS = "cell2mutation.txt"
ABSENT = ("cell2cndeletion.txt", "cell2cnamplification.txt")
CELLS, TRAINING, PREDICTED = "cell2ind.txt", "training_data.txt", "predict_data.txt"
LEDGER = "ledger.json"
FILES = (TRAINING, PREDICTED, CELLS, MUTATIONS, *ABSENT, LEDGER)

# cellmaps_vnn holds three tables of this size as text, then as numbers of 8 bytes.
MOST_VALUES = 10**8
_DATASET = "dcell"  # values are scaled by data set there; this is one


def write_genotypes(
    layout: DataLayout, genes: Sequence[str], phenotype: str, folder: Path
) -> dict[str, Any]:
    """Write `FILES` into a folder; rows are in the order of the store.

    Args:
        layout: of the build.
        genes: the genes of `gene2ind.txt`, in its order.
        phenotype: the one to predict.
        folder: where to.

    Returns:
        The content of `ledger.json`: genotypes by file, and dropped ones by reason.

    Raises:
        InputError: the store has no such phenotype, or more genotypes than fit such tables.
    """
    reader = StoreReader(layout.store)
    if phenotype not in reader.meta.phenotypes:
        missing = no_such("phenotype", phenotype, reader.meta.phenotypes)
        raise InputError(f"{layout.store}: {missing}")
    if reader.meta.graded:
        raise InputError(
            f"{layout.store}: genes have states other than 0 and 1, and the tables of cellmaps_vnn "
            "say only whether a gene is altered; export a build without states"
        )
    if reader.meta.samples * len(genes) > MOST_VALUES:
        raise InputError(
            f"{layout.store}: {reader.meta.samples:,} genotypes of {len(genes):,} genes make "
            f"tables of more than {MOST_VALUES:,} values, which cellmaps_vnn holds in memory three "
            "times over. Build from fewer genotypes, and export that build."
        )
    graph = CellGraph.read(layout.cell_graph)
    graph.require(reader.meta.fingerprint, "the store")
    names = [*graph.gene_ids, *reader.meta.other_genes]
    columns = _columns(names, genes, graph.channels)
    parts, alleles = _parts(layout, reader.meta.samples), alleles_of(layout.store)
    written, dropped = {TRAINING: 0, PREDICTED: 0}, {"excluded": 0, "not_measured": 0}
    with ExitStack() as stack:
        files = {
            name: stack.enter_context((folder / name).open("wb"))
            for name in FILES
            if name != LEDGER
        }
        for block in map(reader.block, range(len(reader.meta.blocks))):
            values = block.phenotypes[phenotype]
            for sample, value in enumerate(values):
                part = parts[block.first + sample]
                reason = "excluded" if part == "excluded" else "not_measured"
                if part == "excluded" or np.isnan(value):
                    dropped[reason] += 1
                    continue
                deleted = block.genes[slice(*block.gene_offsets[sample : sample + 2])].astype(
                    np.int64
                )
                table = PREDICTED if part == "test" else TRAINING
                cell = f"{block.first + sample}"
                if not graph.channels:  # cell lines have hundreds of altered genes
                    cell += f":{'|'.join(names[gene] for gene in deleted)}"
                if alleles is not None:
                    cell += f":{alleles[block.first + sample]}"
                files[CELLS].write(f"{sum(written.values())}\t{cell}\n".encode())
                files[table].write(f"{cell}\t-\t{value!s}\t{_DATASET}\n".encode())
                for name, own in columns.items():
                    files[name].write(_row(own[deleted], len(genes)))
                written[table] += 1
    ledger = {"phenotype": phenotype, "genotypes": written, "dropped": dropped}
    write_json(folder / LEDGER, ledger)
    return ledger


def _columns(
    names: Sequence[str], genes: Sequence[str], channels: Sequence[str]
) -> dict[str, npt.NDArray[np.int64]]:
    """By table, the column of every input; -1 where it has none there.

    Raises:
        InputError: a channel that has no such table.
    """
    files = {name.removeprefix("cell2").removesuffix(".txt"): name for name in (MUTATIONS, *ABSENT)}
    if other := sorted(set(channels) - set(files)):
        raise InputError(
            f"the channels {', '.join(other)} have no table in cellmaps_vnn, which reads "
            f"{', '.join(files)}; build with tables of these names"
        )
    mutation = next(iter(files))
    inputs = [gene_and_channel(name) if channels else (name, mutation) for name in names]
    column_of = {gene: column for column, gene in enumerate(genes)}
    return {
        name: np.array([column_of.get(g, -1) if c == channel else -1 for g, c in inputs], np.int64)
        for channel, name in files.items()
    }


def _row(deleted: npt.NDArray[np.int64], genes: int) -> bytes:
    """`0,1,0`, a gene each, as a line; genes numbered -1 have no place in it."""
    row = np.full(2 * genes, ord(","), dtype=np.uint8)
    row[::2] = ord("0")
    row[2 * deleted[deleted >= 0]] = ord("1")
    row[-1] = ord("\n")
    return row.tobytes()


def _parts(layout: DataLayout, samples: int) -> pl.Series:
    """The part of every sample, as text.

    Raises:
        ArtefactError: the split is missing, or of another store.
    """
    chain.require(layout, "split")
    path = layout.split / "split.parquet"
    try:
        parts = pl.read_parquet(path, columns=["part"], glob=False)["part"]
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtefactError(f"{path}: not readable ({error}). Build the data again.") from None
    if len(parts) != samples or not parts.is_in(PARTS).all():
        raise ArtefactError(f"{path}: is not the split of the store. Build the data again.")
    return parts
