"""A checkpoint as a NumPy archive: each term's parameters under its name, nothing pickled.

`numpy.load(file, allow_pickle=False)` reads it anywhere. Arrays `subsystems.{term}.linear.weight`
and so on are `dcell_model.dcell.per_term`'s; all else that a checkpoint holds is in the text
`checkpoint.json`, which names the array of every tensor in it: the files of the cell graph, too, as
bytes, so that no build is needed. The state of training (optimiser, history) stays behind: what is
imported predicts, but cannot be resumed.
"""

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data_specs.errors import ArtefactError, InputError
from data_specs.files import replacing_file
from dcell_model.checkpoint.contents import check, check_numbers, parameters_of
from dcell_model.checkpoint.format import Checkpoint, cell_graph_of, of_today, restore
from dcell_model.dcell import (
    DCell,
    check_term_shapes,
    export_subsystems,
    import_subsystems,
    term_shapes,
)

FORMAT, VERSION = "dcell-per-term", 1
DESCRIPTION, MODEL, REST = "checkpoint.json", "model", "checkpoint."
TRAINING = ("optimizer", "best", "history", "under_way")
Arrays = dict[str, npt.NDArray[Any]]


def export(checkpoint: Checkpoint, where: Path, out: Path) -> int:
    """Write a checkpoint's parameters term by term.

    Args:
        checkpoint: as `dcell_model.checkpoint.load` gives it.
        where: the checkpoint's path, for messages.
        out: file to write, `.npz`; the same checkpoint gives the same bytes.

    Returns:
        Number of arrays.

    Raises:
        ArtefactError: the checkpoint is that of another model than DCell, or of several.
    """
    model, *others = restore(checkpoint, None, where)
    if others:
        raise ArtefactError(
            f"{where}: an ensemble of {1 + len(others)} members; a file holds the terms of one. "
            "Name the folder of one, such as members/0 of the run."
        )
    exported = export_subsystems(model)
    arrays: Arrays = {name: value.numpy() for name, value in exported.items()}
    kept = {name: value for name, value in checkpoint.items() if name not in TRAINING}
    described = _without_tensors(kept | {MODEL: None}, REST, arrays)
    text = json.dumps({"format": FORMAT, "version": VERSION, "checkpoint": described})
    with replacing_file(out) as partial, partial.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **{DESCRIPTION: np.array(text)}, **arrays)
    return len(arrays) + 1


def _without_tensors(value: Any, name: str, arrays: Arrays) -> Any:
    """A value with `{"array": name}` in place of each tensor, which goes to `arrays`."""
    if isinstance(value, Tensor):
        name = name.rstrip(".")
        arrays[name] = value.detach().cpu().numpy()
        return {"array": name}
    if isinstance(value, Mapping):
        inner = {key: _without_tensors(v, f"{name}{key}.", arrays) for key, v in value.items()}
        return {"values": inner}
    if isinstance(value, list | tuple):
        return [_without_tensors(v, f"{name}{at}.", arrays) for at, v in enumerate(value)]
    return value


def _with_tensors(value: Any, take: Callable[[str], Tensor]) -> Any:
    """The reverse of `_without_tensors`."""
    if isinstance(value, dict) and "array" in value:
        return take(value["array"])
    if isinstance(value, dict):
        return {key: _with_tensors(inner, take) for key, inner in value["values"].items()}
    return [_with_tensors(v, take) for v in value] if isinstance(value, list) else value


def import_(path: Path) -> Checkpoint:
    """Read a per-term file as a checkpoint, to be written by `dcell_model.checkpoint.save`.

    Args:
        path: the file; its parameters may be of another origin, as long as names, shapes and
            types are those of the model that it describes.

    Raises:
        ArtefactError: not such a file, of a checkpoint of another version, or an array that is
            missing, left over, or of another shape or type.
    """
    arrays = _read(path)
    try:
        description = json.loads(str(arrays.pop(DESCRIPTION)))
        if (description["format"], description["version"]) != (FORMAT, VERSION):
            raise ValueError(f"format {description['format']} version {description['version']}")
        checkpoint = _with_tensors(description["checkpoint"], lambda n: _tensor(arrays.pop(n)))
        checkpoint = of_today(checkpoint, path)
        check(checkpoint | {MODEL: {}}, path)
        graph = cell_graph_of(checkpoint, path)
        given = {name: _tensor(array) for name, array in arrays.items()}
        config, phenotypes = parameters_of(checkpoint, path).model, len(checkpoint["phenotypes"])
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, RecursionError) as error:
        raise _unreadable(path, error) from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise _unreadable(path, error) from None
    shapes = term_shapes(graph, config, phenotypes)
    for name in shapes.keys() & given.keys():
        if given[name].dtype != torch.float32:
            raise ArtefactError(f"{path}: '{name}' is {given[name].dtype}; expected torch.float32")
        check_numbers(given[name], name, path)
    try:
        check_term_shapes(given, shapes)
    except ArtefactError as error:
        raise ArtefactError(f"{path}: {error}") from None
    model = DCell(graph, config, phenotypes=phenotypes)  # no larger than the file
    import_subsystems(model, given)
    imported = {**checkpoint, MODEL: model.state_dict()}
    check(imported, path)
    return imported


def _tensor(array: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))


def _read(path: Path) -> Arrays:
    try:
        with zipfile.ZipFile(path) as archive:
            # `numpy.savez` does not compress; one that unpacks to more than its size is not ours.
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("its parts are compressed")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise ArtefactError(f"{path}: no such file") from None
    except Exception as error:  # damaged bytes make zipfile and numpy raise almost anything
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> ArtefactError:
    reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
    return ArtefactError(
        f"{path}: not readable as a per-term file ({reason}). Expected an .npz that `dcell export` "
        "wrote."
    )
