"""Gene networks on disk: one table of edges each, and the manifest that names them.

`networks.json` holds format, version, and of every network its table's SHA-256; `NAME.parquet` has
the columns of `data_specs.tables.NETWORK`. Genes are those of the store: the cell graph's, then
those without annotation, so that a gene has one index in all networks and in the store.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_specs.errors import ArtefactError, InputError
from data_specs.files import sha256_of
from data_specs.layout import DataLayout, read_json, write_json
from data_specs.parameters import no_such
from data_specs.tables import NETWORK

MANIFEST = "networks.json"
FORMAT = {"format": "dcell-networks", "version": 1}


@dataclass(frozen=True, slots=True)
class GeneNetworks:
    """Undirected weighted networks over the same G genes, by name.

    Attributes:
        num_genes: G.
        edges: `[E, 2]` int64 gene indices of each network, every edge once.
        weights: `[E]` float32 above 0 of each network.
    """

    num_genes: int
    edges: dict[str, npt.NDArray[np.int64]]
    weights: dict[str, npt.NDArray[np.float32]]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the networks, sorted."""
        return tuple(sorted(self.edges))


def write_manifest(folder: Path, names: Sequence[str]) -> None:
    """Name the tables that a folder holds, with their checksums."""
    tables = {name: sha256_of(folder / f"{name}.parquet") for name in sorted(names)}
    write_json(folder / MANIFEST, FORMAT | {"networks": tables})


def read_networks(
    layout: DataLayout, gene_ids: Sequence[str], names: Sequence[str] = ()
) -> GeneNetworks:
    """Read the networks of a build.

    Args:
        layout: of the build.
        gene_ids: names of all gene indices of its store.
        names: which, as `matching` takes them; empty reads all.

    Raises:
        ArtefactError: a table is missing, damaged, or names a gene that is not in the store.
        InputError: the build has no networks, or none of a name.
    """
    folder, tables = layout.networks, require_networks(layout, names)
    index = pa.array(gene_ids, pa.large_string())
    edges, weights = {}, {}
    for name in matching(names, list(tables), str(folder)) or sorted(tables):
        path = folder / f"{name}.parquet"
        table = _read(path, tables[name])
        ends = [pc.index_in(table[column], index) for column in ("gene_a", "gene_b")]
        if any(column.null_count for column in ends):
            raise ArtefactError(f"{path}: a gene that is not in the store. Build the data again.")
        edges[name] = np.stack([c.to_numpy().astype(np.int64) for c in ends], axis=1)
        weights[name] = np.array(table["weight"].to_numpy())  # torch asks for a writable one
    return GeneNetworks(len(gene_ids), edges, weights)


def require_networks(layout: DataLayout, names: Sequence[str] = ()) -> dict[str, str]:
    """The networks of a build, each with the SHA-256 of its table; `names` are asked for.

    Raises:
        ArtefactError: the manifest is damaged or of another version.
        InputError: the build has no networks, or none of a name.
    """
    folder = layout.networks
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder}: no networks; {_ADVICE}")
    manifest = read_json(folder / MANIFEST)
    if {key: manifest.get(key) for key in FORMAT} != FORMAT:
        raise ArtefactError(f"{folder / MANIFEST}: expected {FORMAT}. Build the data again.")
    tables: dict[str, str] = manifest["networks"]
    if not tables:
        raise InputError(f"{folder}: the build has no networks; {_ADVICE}")
    matching(names, list(tables), str(folder))
    return tables


def matching(names: Sequence[str], networks: Sequence[str], where: str) -> list[str]:
    """The networks that names mean, sorted: a network's own name, or how it ends.

    So `coexpression` means `4932.v12.0.coexpression`, whatever the release of STRING.

    Args:
        names: of networks, or their ends behind a `.`, `-` or `_`.
        networks: names of those that there are.
        where: the source of the names or the networks, for messages.

    Raises:
        InputError: a name that is no network's, or the end of several.
    """
    found = set()
    for name in names:
        ends = [own for own in networks if re.search(rf"[._-]{re.escape(name)}$", own)]
        if name not in networks and len(ends) > 1:
            raise InputError(
                f"{where}: '{name}' is the end of {', '.join(sorted(ends))}; name one of them"
            )
        if name not in networks and not ends:
            raise InputError(f"{where}: {no_such('network', name, list(networks))}")
        found.add(name if name in networks else ends[0])
    return sorted(found)


_ADVICE = "build the data with sources.networks=[F, …], or with sources.profile=demo"


def _read(path: Path, sha256: str) -> Any:
    try:
        if sha256_of(path) != sha256:
            raise ArtefactError(
                f"{path}: its checksum differs from the one in {MANIFEST}; the files are damaged "
                "or mixed. Build the data again."
            )
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise ArtefactError(f"{path}: not readable ({error}). Build the data again.") from None
    if table.schema.names != NETWORK.names:
        raise ArtefactError(f"{path}: columns {table.schema.names}; expected {NETWORK.names}")
    return table
