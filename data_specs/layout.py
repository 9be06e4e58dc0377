"""Where each artefact of a build lies: one folder, the same with DVC and without it."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_specs.errors import ArtefactError, InputError
from data_specs.files import write_text

MARKER = "dcell-data.json"
FORMAT = {"format": "dcell-data", "version": 1}


# The entries that the stages write, by the folders of a build; `#####` is a number.
_NAMES: dict[str, tuple[str, ...]] = {
    "simulated": (
        "ontology.obo", "annotations.gaf", "genotypes.tsv", "truth.json", "pairs.tsv",
        "complexes.tsv", "coexpression.tsv",
    ),
    "sources": ("sources.json",),
    "ontology": ("terms.parquet", "edges.parquet", "aliases.parquet", "ledger.json"),
    "annotations": ("annotations.parquet", "names.parquet", "ledger.json"),
    "genotypes": (
        "genotypes.parquet/#####.parquet", "genes.parquet", "gene_names.parquet", "ledger.json",
    ),
    "hierarchy": (
        "terms.parquet", "edges.parquet", "annotations.parquet", "ledger.json", "link.json",
    ),
    "strata": ("strata.parquet", "ledger.json"),
    "cell_graph": (
        "cell_graph.json", "terms.arrow", "edges.arrow", "annotations.arrow", "genes.arrow",
        "names.arrow", "ledger.json", "link.json",
    ),
    "store": (
        "#####/data.mdb", "samples.parquet/#####.parquet", "manifest.json", "ledger.json",
        "link.json",
    ),
    "split": ("split.parquet", "ledger.json", "link.json"),
    "networks": ("networks.json", "ledger.json", "link.json"),
    "plots": ("ledger.png", "levels.png", "strata.png"),
}  # fmt: skip
ENTRIES = {
    folder: tuple(name.replace("#", "[0-9]") for name in names) for folder, names in _NAMES.items()
}


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
        """Stratum, height, level and depth of every term: `strata.parquet`, with their ledger."""
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
    def controls(self) -> Path:
        """Builds on randomised hierarchies, by `control_name`: same samples, same splits."""
        return self.root / "controls"

    @property
    def networks(self) -> Path:
        """Gene networks on the store's genes (`data_specs.gene_networks`), with their ledger."""
        return self.root / "networks"

    @property
    def ledger(self) -> Path:
        """The counts that every step kept and dropped."""
        return self.root / "ledger.json"

    @property
    def parameters(self) -> Path:
        """The parameters of a build without DVC."""
        return self.root / "params.json"

    def own(self, folder: str) -> tuple[str, ...]:
        """Patterns of all that a stage writes into its folder (`data_specs.own_entries`)."""
        if folder != "networks":
            return ENTRIES[folder]
        return (*ENTRIES[folder], *(f"{name}.parquet" for name in self._network_names()))

    def own_of_all(self) -> tuple[str, ...]:
        """The same for the whole build; other splits and runs that lie in it are not its own."""
        below = (f"{folder}/{name}" for folder in ENTRIES for name in self.own(folder))
        return (*below, self.ledger.name, self.parameters.name, MARKER)

    def _network_names(self) -> list[str]:
        """The networks that an earlier build has, with nothing in them that is special here."""
        path = self.networks / "networks.json"
        try:
            names = json.loads(path.read_text(encoding="utf-8"))["networks"]
        except (OSError, ValueError, KeyError, TypeError):
            return []  # none, or not the stage's: nothing there is taken for its own
        return [re.sub(r"([*?[])", r"[\1]", name) for name in names]


def control_name(control: str, seed: int) -> str:
    """Folder of a control build in `DataLayout.controls`: `genes-1`."""
    return f"{control}-{seed}"


# The file by which a folder that a command wrote is known.
MARKERS = {"build": MARKER, "run": "dcell-run.json", "screen": "screen.json",
           "comparison": "dcell-comparison.json", "tuning": "dcell-tune.json"}  # fmt: skip


def require_kind(folder: Path, kind: str) -> None:
    """Refuse a folder that another command wrote than the one that is asked for.

    Folders of DVC's stages have no marker; readers report a file that is missing in them.

    Raises:
        InputError: names the kind of the folder.
    """
    if not folder.exists():
        raise InputError(f"{folder}: no such folder; expected that of a {kind}")
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; expected that of a {kind}")
    if (folder / MARKERS[kind]).is_file():
        return
    for other, marker in MARKERS.items():
        if (folder / marker).is_file():
            raise InputError(f"{folder}: is the folder of a {other}; expected that of a {kind}")


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
