"""Where each artefact of a build lies: one folder, the same with DVC and without it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_specs.errors import ArtefactError, InputError
from data_specs.files import write_text

MARKER = "dcell-data.json"
FORMAT = {"format": "dcell-data", "version": 1}


@dataclass(frozen=True, slots=True)
class DataLayout:
    """The paths below the folder of a build.

    `root` is `data/` under DVC, or what `dcell-data build --out` named.
    """

    root: Path
    other_split: str | None = None  # a name in `splits/`, to be read in place of `split/`

    @property
    def simulated(self) -> Path:
        """Raw inputs of the `demo` profile."""
        return self.root / "simulated"

    @property
    def sources(self) -> Path:
        """Which raw inputs were used: `sources.json` with paths, checksums and versions."""
        return self.root / "sources"

    @property
    def ontology(self) -> Path:
        """Parsed ontology: `terms.parquet`, `edges.parquet`, `aliases.parquet`."""
        return self.root / "ontology"

    @property
    def annotations(self) -> Path:
        """Kept (term, gene) pairs: `annotations.parquet`, with their ledger."""
        return self.root / "annotations"

    @property
    def genotypes(self) -> Path:
        """Merged genotypes: `genotypes.parquet`, with their ledger."""
        return self.root / "genotypes"

    @property
    def hierarchy(self) -> Path:
        """The pruned hierarchy: `terms`, `edges` and `annotations`, with its ledger."""
        return self.root / "hierarchy"

    @property
    def strata(self) -> Path:
        """Stratum and height of every term: `strata.parquet`, with their ledger."""
        return self.root / "strata"

    @property
    def cell_graph(self) -> Path:
        """The cell graph in Arrow files (`data_specs.cell_graph`)."""
        return self.root / "cell_graph"

    @property
    def store(self) -> Path:
        """The LMDB of mutant states (`data_specs.store`)."""
        return self.root / "store"

    @property
    def split(self) -> Path:
        """The part of every sample: `split.parquet`, with its ledger."""
        return self.splits / self.other_split if self.other_split else self.root / "split"

    @property
    def splits(self) -> Path:
        """Other splits of the same samples, by name: `gene-1` is by genes, with seed 1."""
        return self.root / "splits"

    @property
    def networks(self) -> Path:
        """Gene networks on the store's genes (`data_specs.gene_networks`), with their ledger."""
        return self.root / "networks"

    @property
    def ledger(self) -> Path:
        """What every step kept and dropped."""
        return self.root / "ledger.json"

    @property
    def parameters(self) -> Path:
        """The parameters of a build without DVC."""
        return self.root / "params.json"


def write_json(target: Path, value: Any) -> None:
    """Write JSON with stable bytes, whole or not at all."""
    write_text(target, json_text(value))


def json_text(value: Any) -> str:
    """JSON with stable bytes: keys in the given order, two spaces, a final newline."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """Read an artefact's JSON file.

    Raises:
        ArtefactError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtefactError(
            f"{path}: no such file. Is '{path.parent}' the folder of a finished build?"
        ) from None
    except OSError as error:
        raise ArtefactError(f"{path}: cannot be read: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtefactError(f"{path}: not readable as JSON: {error}. Build it again.") from None


def refuse_foreign(folder: Path, kind: str, marker: str, description: Mapping[str, Any]) -> None:
    """Refuse an output folder unless it is new, empty, or an earlier one of its kind.

    Args:
        folder: where to write.
        kind: what it should be, for messages: build, run.
        marker: the file by which such a folder is known.
        description: what that file holds.

    Raises:
        InputError: the path is a file, or a folder with something else in it.
    """
    if folder.is_file():
        raise InputError(f"{folder}: is a file; expected a folder for the {kind}")
    # A run that was killed at once has left no more than what the marker was being written in.
    if folder.is_dir() and any(not p.name.startswith(f".{marker}.") for p in folder.iterdir()):
        if not (folder / marker).is_file():
            raise InputError(
                f"{folder}: exists and is not an earlier {kind} (no {marker} in it). Name another "
                "folder, or remove it yourself."
            )
        if read_json(folder / marker).get("format") != description["format"]:
            raise InputError(f"{folder / marker}: not the marker of an earlier {kind}")
