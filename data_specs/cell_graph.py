"""The cell graph: terms, genes, and the edges between them, as arrays with a fingerprint.

On disk it is a folder of Arrow IPC files that any Arrow reader can map:

- `terms.arrow`: term, name, stratum, height, genes_contained; row order is the term index,
  sorted by (stratum, term), so that the root is term 0 and a stratum is one run of indices
- `genes.arrow`: gene; row order is the gene index, sorted by name
- `annotations.arrow`: term, gene (indices), sorted: row m of every mutant state
- `edges.arrow`: child, parent (term indices), sorted
- `cell_graph.json`: format, version and fingerprint
"""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data_specs.errors import ArtefactError
from data_specs.files import sha256_of
from data_specs.layout import read_json, write_json

IntArray = npt.NDArray[np.int64]

VERSION = 2
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
}
WILD_TYPE, DELETED = 1, 0


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
    """

    term_ids: Sequence[str]
    term_names: Sequence[str]
    gene_ids: Sequence[str]
    strata: IntArray
    heights: IntArray
    genes_contained: IntArray
    annotations: IntArray
    edges: IntArray

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
        """`[T]` int64, genes annotated to the term itself."""
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
        return digest.hexdigest()

    def write(self, folder: Path) -> None:
        """Write the files of the cell graph into a new folder."""
        folder.mkdir()
        columns: dict[str, list[Any]] = {
            "terms": [
                self.term_ids, self.term_names, self.strata, self.heights, self.genes_contained,
            ],
            "genes": [self.gene_ids],
            "annotations": list(self.annotations.T),
            "edges": list(self.edges.T),
        }  # fmt: skip
        for name, schema in SCHEMAS.items():
            arrays = [pa.array(c, t) for c, t in zip(columns[name], schema.types, strict=True)]
            batch = pa.record_batch(arrays, schema=schema)
            with pa.ipc.new_file(str(folder / f"{name}.arrow"), schema) as writer:
                writer.write_batch(batch)
        description = {
            "format": "dcell-cell-graph",
            "version": VERSION,
            "fingerprint": self.fingerprint,
            "terms": self.num_terms,
            "genes": self.num_genes,
            "annotations": len(self.annotations),
            "edges": len(self.edges),
            "sha256": {name: sha256_of(folder / f"{name}.arrow") for name in SCHEMAS},
        }
        write_json(folder / "cell_graph.json", description)

    @classmethod
    def read(cls, folder: Path) -> "CellGraph":
        """Map a cell graph from disk and check it against its fingerprint.

        Raises:
            ArtefactError: a file is missing, damaged or of another version.
        """
        description = read_json(folder / "cell_graph.json")
        found = [description.get(key) for key in ("format", "version")] if description else []
        if found != ["dcell-cell-graph", VERSION]:
            raise ArtefactError(
                f"{folder}: format and version {found}; expected 'dcell-cell-graph' version "
                f"{VERSION}. Build the data again with this version of the code."
            )
        tables = {}
        for name, schema in SCHEMAS.items():
            path = folder / f"{name}.arrow"
            try:
                if sha256_of(path) != description.get("sha256", {}).get(name):
                    raise ArtefactError(
                        f"{path}: its checksum is not the one that cell_graph.json names; the "
                        "files are damaged or mixed. Build it again."
                    )
                with pa.memory_map(str(path)) as source:
                    tables[name] = pa.ipc.open_file(source).read_all()
                tables[name].validate(full=True)
            except (OSError, pa.ArrowException) as error:
                raise ArtefactError(f"{path}: not readable ({error}). Build it again.") from None
            if tables[name].schema != schema:
                raise ArtefactError(f"{path}: columns {tables[name].schema.names}; "
                                    f"expected {schema.names}. Build it again.")  # fmt: skip

        def numbers(table: str, *names: str) -> IntArray:
            columns = [tables[table][name].to_numpy() for name in names]
            return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)

        graph = cls(
            term_ids=tables["terms"]["term"].to_pylist(),
            term_names=tables["terms"]["name"].to_pylist(),
            gene_ids=tables["genes"]["gene"].to_pylist(),
            strata=numbers("terms", "stratum"),
            heights=numbers("terms", "height"),
            genes_contained=numbers("terms", "genes_contained"),
            annotations=numbers("annotations", "term", "gene"),
            edges=numbers("edges", "child", "parent"),
        )
        if graph.fingerprint != description.get("fingerprint"):
            raise ArtefactError(
                f"{folder}: content has fingerprint {graph.fingerprint[:12]}…, its "
                f"cell_graph.json says {str(description.get('fingerprint'))[:12]}…; the files are "
                "damaged or mixed. Build it again."
            )
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
