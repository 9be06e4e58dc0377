"""Checkpoints: tensors and plain values only, loaded with `weights_only=True`, never by pickle.

A checkpoint carries the files of its cell graph with the names of genes, its parameters as JSON,
and the scale of its targets: it is a model that predicts, whatever became of the data.
"""

import contextlib
import functools
import hashlib
import json
import stat
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from data_specs.cell_graph import CellGraph
from data_specs.errors import ArtefactError
from data_specs.files import replacing_file
from data_specs.parameters import Parameters
from data_specs.path_kinds import archive_entries, is_zip, what_is
from dcell_model.checkpoint.calibration import Calibration
from dcell_model.checkpoint.contents import (
    Shapes,
    check,
    check_shapes,
    needs_build,
    parameters_of,
    same,
)
from dcell_model.checkpoint.run_folder import BEST
from dcell_model.checkpoint.trained_sections import trained_sections
from dcell_model.dcell import DCell, tensor_shapes

FORMAT, VERSION = "dcell-checkpoint", 7
READ = (5, 6, VERSION)
Checkpoint = dict[str, Any]


class Trainable(Protocol):
    """The tensors that a checkpoint takes from a model, and gives back to it."""

    graph: CellGraph

    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...  # noqa: D102
    def eval(self) -> Any: ...  # noqa: D102


Model = TypeVar("Model", bound=Trainable)


def describe(
    model: Trainable,
    parameters: Parameters,
    phenotypes: tuple[str, ...],
    scale: tuple[torch.Tensor, torch.Tensor],
    epoch: int,
    made_from: Mapping[str, str],
    calibration: Calibration | None = None,
    seen_genes: npt.NDArray[np.bool_] | None = None,
) -> Checkpoint:
    """The content of every checkpoint.

    Args:
        model: its parameters and running statistics are taken as they are.
        parameters: of the run; the sections of model and training are kept, as JSON.
        phenotypes: names of the P heads.
        scale: mean and standard deviation `[P]` that predictions are scaled back with.
        epoch: epochs trained.
        made_from: digests of cell graph, store and split, and of networks (`data_specs.chain`).
        calibration: of the root's predictions; none leaves them unchanged.
        seen_genes: `[G]` whether training saw a gene deleted; none if nobody knows.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "fingerprint": model.graph.fingerprint,
        "cell_graph": _files_of(model.graph),
        "parameters": json.dumps(trained_sections(parameters)),
        "phenotypes": list(phenotypes),
        "target_mean": scale[0],
        "target_std": scale[1],
        "epoch": epoch,
        "made_from": dict(made_from),
        "model": model.state_dict(),
        "calibration": (calibration or Calibration.none(len(phenotypes))).to_checkpoint(),
        "seen_genes": _bytes(seen_genes),
        "members": [],  # of an ensemble, the tensors of all but the first, which is `model`
    }


def _bytes(mask: npt.NDArray[np.bool_] | None) -> torch.Tensor:
    """A mask as uint8, empty for none."""
    none = np.zeros(0, dtype=np.bool_)
    return torch.from_numpy((none if mask is None else mask).astype(np.uint8))


@functools.lru_cache(maxsize=1)  # the same in every checkpoint of a run
def _files_of(graph: CellGraph) -> dict[str, torch.Tensor]:
    """The files of the cell graph as `[n]` uint8 tensors."""
    files = graph.to_files().items()
    return {name: torch.frombuffer(bytearray(raw), dtype=torch.uint8) for name, raw in files}


def save(checkpoint: Checkpoint, path: Path) -> str:
    """Write a checkpoint whole or not at all, with the SHA-256 of its content; return that."""
    sha256 = digest_of(checkpoint)
    with replacing_file(path) as partial, partial.open("wb") as file:
        try:
            torch.save(checkpoint | {"sha256": sha256}, file)
        except RuntimeError as error:  # torch's archive loses count when a write fails
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
    return sha256


def _elements(value: Any) -> int:
    """Elements of all tensors in a value, each counted once for every place it stands at."""
    if isinstance(value, torch.Tensor):
        return value.numel()
    inner = value.values() if isinstance(value, Mapping) else value
    return sum(map(_elements, inner)) if isinstance(value, Mapping | list | tuple) else 0


def digest_of(checkpoint: Checkpoint) -> str:
    """SHA-256 of all names, values, shapes and elements, in order."""
    digest = hashlib.sha256()

    def feed(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            digest.update(f"{value.dtype} {tuple(value.shape)}".encode())
            flat = value.detach().cpu().flatten().clone(memory_format=torch.contiguous_format)
            digest.update(flat.view(torch.uint8).numpy().data)
        elif isinstance(value, Mapping):
            digest.update(f"{len(value)} names".encode())
            for name, inner in value.items():
                digest.update(repr(name).encode())
                feed(inner)
        elif isinstance(value, list | tuple):
            digest.update(f"{len(value)} values".encode())
            for inner in value:
                feed(inner)
        else:
            digest.update(repr(value).encode())

    feed(checkpoint)
    return digest.hexdigest()


def locate(path: Path) -> Path:
    """The file of a checkpoint: itself, or that of the folder of a run.

    Raises:
        ArtefactError: there is none; names what is there.
    """
    try:
        if path.is_dir():
            places = [path / BEST, path / "train" / BEST]  # where `dcell train` and DVC put it
            found = next((place for place in places if place.is_file()), None)
            if found is None:
                raise ArtefactError(
                    f"{path}: is {what_is(path)} without {BEST} in it; expected {BEST} of a run "
                    "that `dcell train` wrote, or its folder"
                )
            path = found
        if not _is_stored_archive(path):
            raise ArtefactError(
                f"{path}: is {what_is(path)}; expected {BEST} of a run that `dcell train` wrote. "
                "If it is a copy of one, it is damaged."
            )
    except FileNotFoundError:
        raise ArtefactError(f"{path}: no such checkpoint") from None
    except (OSError, ValueError) as error:
        if isinstance(error, ArtefactError):
            raise
        raise ArtefactError(f"{path}: not readable as a checkpoint ({error})") from None
    return path


def _is_stored_archive(path: Path) -> bool:
    """Whether `torch.save` wrote it; a file that unpacks to more than its size is refused."""
    if not stat.S_ISREG(path.stat().st_mode):
        return False  # opening a pipe would wait for its other end
    if not is_zip(path):
        return False
    entries = archive_entries(path) or []
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    return stored and any(entry.filename.endswith("/data.pkl") for entry in entries)


def load(path: Path) -> Checkpoint:
    """The checkpoint that `load_with_digest` reads."""
    return load_with_digest(path)[0]


def load_with_digest(path: Path) -> tuple[Checkpoint, str]:
    """Read a checkpoint onto the CPU, and check all that can be checked without its cell graph.

    Args:
        path: the file, or the folder of the run.

    Returns:
        The checkpoint as this version has them, and the digest of the file's content, by which
        its predictions, screens and its run's record name it, whichever version wrote it.

    Raises:
        ArtefactError: no such file, damaged, not a checkpoint of this version, or one with an
            entry that no training writes.
    """
    path = locate(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # torch warns of a foreign pickle, then reads it
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        if _elements(checkpoint) > path.stat().st_size:
            raise ValueError("tensors overlap themselves")  # to be huge once they are copied
    except Exception as error:  # damaged bytes make torch's reader raise almost anything
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise ArtefactError(
            f"{path}: not readable as a checkpoint of tensors and plain values ({reason}). "
            "Train again, or use another file."
        ) from None
    if not isinstance(checkpoint, dict) or not same(checkpoint.get("format"), FORMAT):
        raise ArtefactError(
            f"{path}: is a file of PyTorch, but not a checkpoint that dcell wrote; expected {BEST} "
            "of a run of `dcell train`"
        )
    _require_known_version(checkpoint, path)
    stated, digest = checkpoint.pop("sha256", None), ""
    with contextlib.suppress(RuntimeError):  # a tensor of impossible strides
        digest = digest_of(checkpoint)
    intact = bool(digest) and same(stated, digest)
    if not intact:
        raise ArtefactError(
            f"{path}: the checkpoint is damaged: its checksum does not match. Take a copy of it, "
            "or train again."
        )
    checkpoint = of_today(checkpoint, path)
    check(checkpoint, path)
    return checkpoint, digest


def _require_known_version(checkpoint: Checkpoint, where: Path) -> int:
    for version in READ:
        if same(checkpoint.get("version"), version):
            return version
    raise ArtefactError(
        f"{where}: checkpoint version {checkpoint.get('version')!r:.60}; expected {VERSION}, or "
        f"{READ[0]} to {VERSION - 1}. Another version of dcell wrote it; train again (dcell train "
        "--data BUILD --out RUN)."
    )


def of_today(checkpoint: Checkpoint, where: Path) -> Checkpoint:
    """A checkpoint of an earlier version, with later entries as they were in effect then.

    Raises:
        ArtefactError: of a version that is not read any more, or not yet.
    """
    version, names = _require_known_version(checkpoint, where), checkpoint.get("phenotypes")
    none = Calibration.none(len(names) if isinstance(names, list) else 0).to_checkpoint()
    if version == 5:  # before predictions were calibrated
        checkpoint = {"calibration": none, "seen_genes": _bytes(None), **checkpoint}
    if version < VERSION:  # before there were ensembles
        checkpoint = {"members": [], **checkpoint}
        own = checkpoint.get("calibration")
        if isinstance(own, dict):
            checkpoint["calibration"] = {"per_spread": none["per_spread"], **own}
    return {**checkpoint, "version": VERSION}


def cell_graph_of(checkpoint: Checkpoint, where: Path) -> CellGraph:
    """The cell graph that a checkpoint holds.

    Raises:
        ArtefactError: it is damaged, or not the one that the checkpoint names.
    """

    def content(name: str) -> memoryview:
        return memoryview(checkpoint["cell_graph"][name].contiguous().numpy())

    graph = CellGraph.from_files(content, where)
    graph.require(checkpoint["fingerprint"], f"the checkpoint {where}")
    return graph


def restore(checkpoint: Checkpoint, graph: CellGraph | None, where: Path) -> tuple[DCell, ...]:
    """Build the members of a checkpoint on its hierarchy, in evaluation mode; most have one.

    Args:
        checkpoint: as `load` gives it.
        graph: the cell graph of the present build; by default that of the checkpoint.
        where: the checkpoint's path, for messages.

    Raises:
        ArtefactError: the checkpoint belongs to another hierarchy (names both fingerprints), or
            is another model's, or its tensors do not fit. No model is built before that is known.
    """
    graph = graph or cell_graph_of(checkpoint, where)
    graph.require(checkpoint["fingerprint"], f"the checkpoint {where}")
    parameters = parameters_of(checkpoint, where)
    if parameters.train.model != "dcell":
        raise needs_build(checkpoint, where)
    phenotypes = len(checkpoint["phenotypes"])
    shapes = tensor_shapes(graph, parameters.model, phenotypes)
    config, engine = parameters.model, parameters.train.engine

    def create() -> DCell:
        return DCell(graph, config, phenotypes=phenotypes, engine=engine)

    return members_of(checkpoint, shapes, create, where)


def members_of(
    checkpoint: Checkpoint, shapes: Shapes, create: Callable[[], Model], where: Path
) -> tuple[Model, ...]:
    """The members of a checkpoint in evaluation mode; none is made before all tensors fit.

    Args:
        checkpoint: as `load` gives it.
        shapes: those that the tensors of each must have.
        create: makes a model to hold them.
        where: the checkpoint's path, for messages.

    Raises:
        ArtefactError: tensors do not fit.
    """
    members = weights_of(checkpoint)
    for tensors in members:
        check_shapes(tensors, shapes, where)
    models = tuple(create() for _ in members)
    for model, tensors in zip(models, members, strict=True):
        model.load_state_dict(tensors)
        model.eval()
    return models


def weights_of(checkpoint: Checkpoint) -> list[dict[str, torch.Tensor]]:
    """The tensors of each member."""
    return [checkpoint["model"], *checkpoint["members"]]
