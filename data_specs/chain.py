"""The chain of fingerprints: the content of every artefact, and its origin.

    inputs → hierarchy → cell graph → store → split → checkpoint → predictions
                                            → networks ↗

The artefacts of a build each have a `link.json` with the digest of what they hold and the digests
of those that they were made from; a checkpoint's link is in `train.json`, that of predictions in
their table's metadata. So parts of different builds, and a file changed by hand, are seen.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_specs.errors import ArtefactError
from data_specs.files import sha256_of
from data_specs.layout import DataLayout, read_json, write_json

LINK = "link.json"
MADE_FROM = b"dcell_made_from"  # in the metadata of tables
INPUTS = "inputs"
# Files whose digests are the artefact's (those with checksums of others cover these), and what it
# is made from.
ARTEFACTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "hierarchy": (("terms.parquet", "edges.parquet", "annotations.parquet"), (INPUTS,)),
    "cell_graph": (("cell_graph.json",), ("hierarchy",)),
    "store": (("manifest.json",), (INPUTS, "cell_graph")),
    "split": (("split.parquet",), ("store",)),
    "networks": (("networks.json",), (INPUTS, "store")),
}
# The artefacts from which every checkpoint is made, and those that only some models need.
TRAINED_ON = ("cell_graph", "store", "split")
ORIGINS = (*TRAINED_ON, "networks")


@dataclass(frozen=True, slots=True)
class Link:
    """An artefact of the chain.

    Attributes:
        name: a key of `ARTEFACTS`, `inputs`, `checkpoint` or `predictions`.
        digest: hex SHA-256 of its content.
        made_from: digests of the artefacts from which it was made, by name.
        fault: the mismatch in words; empty if there is none.
    """

    name: str
    digest: str
    made_from: Mapping[str, str]
    fault: str = ""

    def to_json(self) -> dict[str, Any]:
        """What `link.json` holds."""
        return {"digest": self.digest, "made_from": dict(self.made_from)}


def digest_of_files(paths: Iterable[Path]) -> str:
    """Hex SHA-256 of the digests of files, in the order given."""
    return _joined(map(sha256_of, paths))


def inputs_digest(layout: DataLayout) -> str:
    """Hex SHA-256 of the digests of the raw files, as the stage `sources` found them."""
    inputs = read_json(layout.sources / "sources.json")["inputs"]
    return _joined(entry["sha256"] for entry in inputs)


def _joined(digests: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def write_link(layout: DataLayout, name: str, folder: Path) -> None:
    """Write the link of an artefact into the folder in which it has just been made."""
    files, parents = ARTEFACTS[name]
    digest = digest_of_files(folder / file for file in files)
    link = Link(name, digest, {parent: digest_of(layout, parent) for parent in parents})
    write_json(folder / LINK, link.to_json())


def read_link(layout: DataLayout, name: str) -> Link:
    """The link of an artefact, as it was written.

    Raises:
        ArtefactError: it is missing or not readable.
    """
    path = getattr(layout, name) / LINK
    values = read_json(path)
    if not isinstance(values, dict) or not isinstance(values.get("made_from"), dict):
        raise ArtefactError(f"{path}: not a link of the chain. Build the data again.")
    return Link(name, str(values.get("digest")), values["made_from"])


def digest_of(layout: DataLayout, name: str) -> str:
    """The digest of an artefact as its link states it, or of the inputs."""
    return inputs_digest(layout) if name == INPUTS else read_link(layout, name).digest


def check(layout: DataLayout, name: str) -> Link:
    """Compare an artefact with its link, and the link with those of its sources.

    Returns:
        The link; its `fault` describes a mismatch.

    Raises:
        ArtefactError: a file is missing or not readable.
    """
    folder, link = getattr(layout, name), read_link(layout, name)
    fault = ""
    try:
        found = digest_of_files(folder / file for file in ARTEFACTS[name][0])
    except OSError as error:
        raise ArtefactError(f"{error.filename}: {error.strerror}. Build the data again.") from None
    if found != link.digest:
        fault = f"was changed after it was made (SHA-256 {found[:12]}…)"
    for parent in ARTEFACTS[name][1]:
        fault = fault or _fault(link, parent, digest_of(layout, parent))
    return Link(name, link.digest, link.made_from, fault)


def refuse_other_data(layout: DataLayout, made_from: Mapping[str, str], what: str) -> None:
    """Refuse a checkpoint, or a result of it, together with data on which it was not trained.

    Raises:
        ArtefactError: names the first artefact that is another one, or is not mentioned.
    """
    link = Link(what, "", made_from)
    for parent in TRAINED_ON:
        if parent not in made_from:
            raise ArtefactError(f"{what} does not say from which {parent.replace('_', ' ')} it was "
                                "made. Use one that `dcell train` wrote.")  # fmt: skip
    for parent in made_from:
        fault = _fault(link, parent, digest_of(layout, parent))
        if fault:
            raise ArtefactError(f"{what} {fault}. Use the data that it was trained on.")


def require(layout: DataLayout, name: str) -> Link:
    """As `check`.

    Raises:
        ArtefactError: it does not fit.
    """
    link = check(layout, name)
    if link.fault:
        again = "Build the data again."
        if name == "split" and layout.other_split:
            method, _, seed = layout.other_split.rpartition("-")
            again = (
                f"Make it again: dcell-data split {layout.root} --methods {method} --seeds {seed} "
                "--overwrite"
            )
        raise ArtefactError(f"{getattr(layout, name)}: {link.fault}. {again}")
    return link


def _fault(link: Link, parent: str, digest: str) -> str:
    made_from = str(link.made_from.get(parent))
    if made_from == digest:
        return ""
    shown = parent.replace("_", " ")
    other, this = ("other", "these are") if shown.endswith("s") else ("another", "this one is")
    return f"was made from {other} {shown} ({made_from[:12]}…; {this} {digest[:12]}…)"


def chain(layout: DataLayout, run: Path | None = None) -> Iterator[Link]:
    """The links from the inputs on; with the folder of a run, to its predictions.

    Raises:
        ArtefactError: a file of the chain is missing or not readable.
    """
    digests = {INPUTS: inputs_digest(layout)}
    yield Link(INPUTS, digests[INPUTS], {})
    for name in ARTEFACTS:
        if name == "networks" and not layout.networks.is_dir():
            continue  # a build from before there were any
        link = check(layout, name)
        digests[name] = link.digest
        yield link
    if run is None:
        return
    readers: dict[str, Callable[[Path], Link | None]] = {
        "checkpoint": _read_checkpoint_link, "predictions": _read_predictions,
    }  # fmt: skip
    for name, read in readers.items():
        found = read(run)
        if found is None:
            return  # not evaluated yet
        faults = (_fault(found, parent, digests[parent]) for parent in found.made_from)
        digests[name] = found.digest
        yield Link(name, found.digest, found.made_from, next(filter(None, faults), ""))


def trained_folder(run: Path) -> Path:
    """Where a run has its checkpoint and record: in itself, or in `train/` as DVC's stages do."""
    return run if (run / "train.json").is_file() else run / "train"


def _read_checkpoint_link(run: Path) -> Link | None:
    path = trained_folder(run) / "train.json"
    values = read_json(path).get("link")
    if not values:
        raise ArtefactError(f"{path}: does not say on which data it was trained. Train again.")
    return Link("checkpoint", values["digest"], values["made_from"])


def _read_predictions(run: Path) -> Link | None:
    path = run / "predictions.parquet"
    if not path.is_file():
        return None
    try:
        metadata = pq.read_schema(path).metadata or {}
        made_from = json.loads(metadata[MADE_FROM])
    except (KeyError, ValueError, pa.ArrowException) as error:
        raise ArtefactError(f"{path}: does not say from which data it was made ({error})") from None
    return Link("predictions", digest_of_files([path]), made_from)


def made_from_metadata(made_from: Mapping[str, str]) -> dict[bytes, bytes]:
    """The origin of a table of predictions, as Parquet metadata."""
    return {MADE_FROM: json.dumps(dict(made_from), sort_keys=True).encode()}
