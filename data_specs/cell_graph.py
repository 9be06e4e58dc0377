"""The cell graph: terms, genes, and the edges between them, as arrays with a fingerprint.

On disk it is a folder of Arrow IPC files that any Arrow reader can map:

- `terms.arrow`: term, name, stratum, height, genes_contained; row order is the term index,
  sorted by (stratum, term), so that the root is term 0 and a stratum is one run of indices
- `genes.arrow`: gene; row order is the gene index, sorted by name
- `annotations.arrow`: term, gene (indices), sorted: row m of every mutant state
- `edges.arrow`: child, parent (term indices), sorted
- `names.arrow`: name, gene, kind: all that it takes to say what a name means
  (`data_specs.gene_names`), with genes that the hierarchy does not have; no part of the fingerprint
- `cell_graph.json`: format, version, fingerprint, and whether names are resolved or taken exactly
"""

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data_specs.cell_graph_checks import fault_of
from data_specs.errors import ArtefactError
from data_specs.gene_states import WILD_TYPE
from data_specs.layout import json_text, read_json

IntArray = npt.NDArray[np.int64]

VERSION = 3
DESCRIPTION = "cell_graph.json"
_DESCRIBED = {
    "format", "version", "fingerprint", "terms", "genes", "annotations", "edges", "names",
    "exact_names", "sha256", "channels",
}  # fmt: skip
SCHEMAS = {
    "terms": pa.schema(
        [
            ("term", pa.string()),
            ("name", pa.string()),
            ("stratum", pa.int64()),
            ("height", pa.int64()),
            ("genes_contained", pa.int64()),
        ]
    ),
    "genes": pa.schema([("gene", pa.string())]),
    "annotations": pa.schema([("term", pa.int64()), ("gene", pa.int64())]),
    "edges": pa.schema([("child", pa.int64()), ("parent", pa.int64())]),
    "names": pa.schema([("name", pa.string()), ("gene", pa.string()), ("kind", pa.string())]),
}


@dataclass(frozen=True, eq=False)
class CellGraph:
    """One pruned hierarchy in numbers.

    Attributes:
        term_ids: `[T]` term ids; index 0 is the virtual root.
        term_names: `[T]` names as the ontology gives them.
        gene_ids: `[G]` systematic names, sorted.
        strata: `[T]` int64, longest path from the root; non-decreasing.
        heights: `[T]` int64, longest path down to a leaf.
        genes_contained: `[T]` int64, genes annotated to the term or any of its descendants.
        annotations: `[M, 2]` int64, (term, gene), sorted.
        edges: `[E, 2]` int64, (child, parent), sorted.
        gene_names: (name, gene, kind) of further names, as `data_specs.tables.GENE_NAMES`.
        exact_names: whether a gene has no name but its systematic one as written.
        channels: where each gene is an input a channel (`data_specs.cell_lines`), the C channels:
            genes are then named with them, and G and M count inputs.
    """

    term_ids: Sequence[str]
    term_names: Sequence[str]
    gene_ids: Sequence[str]
    strata: IntArray
    heights: IntArray
    genes_contained: IntArray
    annotations: IntArray
    edges: IntArray
    gene_names: Sequence[tuple[str, str, str]] = ()
    exact_names: bool = False
    channels: Sequence[str] = ()

    @property
    def num_terms(self) -> int:
        """T, the root included."""
        return len(self.term_ids)

    @property
    def num_genes(self) -> int:
        """G, the genes annotated to a term of the hierarchy."""
        return len(self.gene_ids)

    @property
    def num_strata(self) -> int:
        """Strata are numbered from the root's 0."""
        return int(self.strata[-1]) + 1

    @functools.cached_property
    def genes_direct(self) -> IntArray:
        """`[T]` int64, genes annotated to the term itself; of one with channels, inputs."""
        return np.bincount(self.annotations[:, 0], minlength=self.num_terms)

    @functools.cached_property
    def wild_type(self) -> IntArray:
        """`[M, 4]` int64: (term, gene, stratum, state) with every state `WILD_TYPE`."""
        term, gene = self.annotations.T
        return np.stack([term, gene, self.strata[term], np.full_like(term, WILD_TYPE)], axis=1)

    @functools.cached_property
    def row_keys(self) -> IntArray:
        """`[M]` term · G + gene: sorted, so that a row is found by its (term, gene)."""
        term, gene = self.annotations.T
        keys: IntArray = term * self.num_genes + gene
        return keys

    def parents(self) -> list[list[int]]:
        """`[T]` the parents of each term, in the order of `edges`."""
        parents: list[list[int]] = [[] for _ in range(self.num_terms)]
        for child, parent in self.edges.tolist():
            parents[child].append(parent)
        return parents

    def rows_of(self, term: IntArray, gene: IntArray) -> IntArray:
        """Rows m of annotated (term, gene) pairs."""
        return np.searchsorted(self.row_keys, term * self.num_genes + gene)

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hex SHA-256 over everything that gives the arrays their meaning.

        Store, split and checkpoint carry it; parts with different fingerprints do not go together.
        """
        digest = hashlib.sha256(f"cell graph {VERSION}\n".encode())
        for names in (self.term_ids, self.gene_ids):
            digest.update("\n".join([str(len(names)), *names, ""]).encode())
        for array in (self.strata, self.genes_contained, self.annotations, self.edges):
            digest.update(f"{array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
        if self.channels:
            digest.update("\n".join(["channels", *self.channels]).encode())
        return digest.hexdigest()

    def to_files(self) -> dict[str, bytes]:
        """The files that `write` puts into a folder, by name."""
        columns: dict[str, list[Any]] = {
            "terms": [
                self.term_ids, self.term_names, self.strata, self.heights, self.genes_contained,
            ],
            "genes": [self.gene_ids],
            "annotations": list(self.annotations.T),
            "edges": list(self.edges.T),
            "names": [list(column) for column in zip(*self.gene_names, strict=True)] or [[]] * 3,
        }  # fmt: skip
        files = {}
        for name, schema in SCHEMAS.items():
            arrays = [pa.array(c, t) for c, t in zip(columns[name], schema.types, strict=True)]
            sink = pa.BufferOutputStream()
            with pa.ipc.new_file(sink, schema) as writer:
                writer.write_batch(pa.record_batch(arrays, schema=schema))
            files[f"{name}.arrow"] = sink.getvalue().to_pybytes()
        description = {
            "format": "dcell-cell-graph",
            "version": VERSION,
            "fingerprint": self.fingerprint,
            "terms": self.num_terms,
            "genes": self.num_genes,
            "annotations": len(self.annotations),
            "edges": len(self.edges),
            "names": len(self.gene_names),
            "exact_names": self.exact_names,
            "sha256": {name: _sha256(files[f"{name}.arrow"]) for name in SCHEMAS},
            **({"channels": list(self.channels)} if self.channels else {}),
        }
        files[DESCRIPTION] = json_text(description).encode()
        return files

    def write(self, folder: Path) -> None:
        """Write the files of the cell graph into a new folder."""
        folder.mkdir()
        for name, content in self.to_files().items():
            (folder / name).write_bytes(content)

    @classmethod
    def read(cls, folder: Path) -> "CellGraph":
        """Map a cell graph from disk and check it against its fingerprint.

        Raises:
            ArtefactError: a file is missing, damaged or of another version.
        """
        read_json(folder / DESCRIPTION)  # its error names a folder that is missing

        def content(name: str) -> pa.Buffer:
            with pa.memory_map(str(folder / name)) as source:
                return source.read_buffer()

        return cls.from_files(content, folder)

    @classmethod
    def from_files(cls, content: Callable[[str], Any], where: Path) -> "CellGraph":
        """A cell graph from the bytes of its files, checked against checksums and fingerprint.

        Args:
            content: the bytes of the file of a name, as anything that Arrow takes as a buffer.
            where: what holds them, for messages.

        Raises:
            ArtefactError: a file is missing, damaged, of another version, or no cell graph.
        """
        try:
            description = json.loads(bytes(content(DESCRIPTION)))
        except (OSError, KeyError, ValueError) as error:
            raise ArtefactError(
                f"{where / DESCRIPTION}: not readable ({error}). Build it again."
            ) from None
        known = isinstance(description, dict)
        found = [description.get(key) for key in ("format", "version")] if known else []
        if found != ["dcell-cell-graph", VERSION]:
            raise ArtefactError(
                f"{where}: format and version {found}; expected 'dcell-cell-graph' version "
                f"{VERSION}. Build the data again with this version of the code (dcell-data build "
                "--overwrite)."
            )
        exact = description.get("exact_names", False)  # a graph from before there was a choice
        channels = description.get("channels", [])
        of_text = isinstance(channels, list) and all(isinstance(name, str) for name in channels)
        if not description.keys() <= _DESCRIBED or not isinstance(exact, bool) or not of_text:
            raise ArtefactError(
                f"{where / DESCRIPTION}: keys {sorted(description)}; expected "
                f"{sorted(_DESCRIBED)}. Build it again."
            )
        sums = description.get("sha256", {})
        tables = {
            name: _table(content, schema, sums.get(name), where / f"{name}.arrow")
            for name, schema in SCHEMAS.items()
        }

        def numbers(table: str, *names: str) -> IntArray:
            columns = [tables[table][name].to_numpy() for name in names]
            return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)

        names = (tables["names"][name].to_pylist() for name in SCHEMAS["names"].names)
        graph = cls(
            term_ids=tables["terms"]["term"].to_pylist(),
            term_names=tables["terms"]["name"].to_pylist(),
            gene_ids=tables["genes"]["gene"].to_pylist(),
            strata=numbers("terms", "stratum"),
            heights=numbers("terms", "height"),
            genes_contained=numbers("terms", "genes_contained"),
            annotations=numbers("annotations", "term", "gene"),
            edges=numbers("edges", "child", "parent"),
            gene_names=tuple(zip(*names, strict=True)),
            exact_names=exact,
            channels=tuple(channels),
        )
        if graph.fingerprint != description.get("fingerprint"):
            raise ArtefactError(
                f"{where}: content has fingerprint {graph.fingerprint[:12]}…, its "
                f"cell_graph.json says {str(description.get('fingerprint'))[:12]}…; the files are "
                "damaged or mixed. Build it again."
            )
        if fault := fault_of(graph):
            raise ArtefactError(f"{where}: no build writes such a cell graph: {fault}.")
        return graph

    def require(self, fingerprint: str, what: str) -> None:
        """Refuse a store, split or checkpoint of another hierarchy.

        Raises:
            ArtefactError: names both fingerprints.
        """
        if fingerprint != self.fingerprint:
            raise ArtefactError(
                f"{what} belongs to the hierarchy with fingerprint {fingerprint[:12]}…, but the "
                f"cell graph has {self.fingerprint[:12]}…. Use both from one build."
            )


def _table(
    content: Callable[[str], Any], schema: pa.Schema, sha256: str | None, path: Path
) -> pa.Table:
    """One of the tables, checked.

    Raises:
        ArtefactError: it is missing, damaged or of another schema.
    """
    try:
        raw = pa.py_buffer(content(path.name))
        if _sha256(raw) != sha256:
            raise ArtefactError(
                f"{path}: its checksum differs from the one in cell_graph.json; the "
                "files are damaged or mixed. Build it again."
            )
        table = pa.ipc.open_file(raw).read_all()
        table.validate(full=True)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ArtefactError(f"{path}: not readable ({error}). Build it again.") from None
    if table.schema != schema:
        raise ArtefactError(f"{path}: columns {table.schema.names}; "
                            f"expected {schema.names}. Build it again.")  # fmt: skip
    if any(column.null_count for column in table.columns):
        raise ArtefactError(f"{path}: has empty cells. Build it again.")
    return table


def _sha256(raw: Any) -> str:
    return hashlib.sha256(raw).hexdigest()
