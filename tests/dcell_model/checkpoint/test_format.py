"""Checkpoints: plain values only, bound to their hierarchy."""

import pickle
from pathlib import Path

import pytest
import torch

from data_specs.errors import ArtefactError
from data_specs.parameters.sections import resolve
from dcell_model.checkpoint import format as checkpoint
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.model import DCell
from tests.conftest import LONG
from tests.hierarchies import random_cell_graph

GRAPH = random_cell_graph(0)
PARAMETERS = resolve({"model": {"width_min": 3, "norm": "layer"}})


def written(path: Path) -> DCell:
    model = DCell(GRAPH, PARAMETERS.model).eval()
    scale = (torch.zeros(1), torch.ones(1))
    checkpoint.save(
        checkpoint.describe(model, PARAMETERS, ("score",), scale, 3, {"store": "0" * 64}), path
    )
    return model


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    model = written(path)
    state = checkpoint.load(path)
    assert (state["epoch"], state["phenotypes"]) == (3, ["score"])
    batch = encode_genotypes(GRAPH, [[0], [1, 2]])
    assert torch.equal(checkpoint.restore(state, GRAPH, path)[0](batch), model(batch))


def test_without_a_cell_graph(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    model = written(path)
    (alone,) = checkpoint.restore(checkpoint.load(path), None, path)
    batch = encode_genotypes(GRAPH, [[0], [1, 2]])
    assert torch.equal(alone(batch), model(batch))
    assert alone.graph.fingerprint == GRAPH.fingerprint


def test_cell_graph_of_another_hierarchy_inside(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    written(path)
    state = checkpoint.load(path)
    other = checkpoint.describe(
        DCell(random_cell_graph(1), PARAMETERS.model), PARAMETERS, ("score",),
        (torch.zeros(1), torch.ones(1)), 3, {},
    )  # fmt: skip
    checkpoint.save(state | {"cell_graph": other["cell_graph"]}, path)
    with pytest.raises(ArtefactError, match="belongs to the hierarchy"):
        checkpoint.restore(checkpoint.load(path), None, path)


def test_weights_only_loads_it(tmp_path: Path) -> None:
    written(tmp_path / "model.pt")
    torch.load(tmp_path / "model.pt", weights_only=True)


def test_other_hierarchy(tmp_path: Path) -> None:
    other = random_cell_graph(1)
    written(tmp_path / "model.pt")
    with pytest.raises(ArtefactError) as error:
        checkpoint.restore(checkpoint.load(tmp_path / "model.pt"), other, tmp_path / "model.pt")
    assert GRAPH.fingerprint[:12] in str(error.value)
    assert other.fingerprint[:12] in str(error.value)


class _Malice:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("/tmp/dcell-was-here"),))  # type: ignore[return-value]


@pytest.mark.parametrize("kind", ["text", "cut", "pickle", "malice", "other", "version"])
def test_what_is_no_checkpoint(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "model.pt"
    written(path)
    raw = path.read_bytes()
    state = checkpoint.load(path)
    if kind == "text":
        path.write_text("not a checkpoint")
    elif kind == "cut":
        path.write_bytes(raw[: len(raw) // 2])
    elif kind == "pickle":
        path.write_bytes(pickle.dumps({"format": "dcell-checkpoint"}))
    elif kind == "malice":
        torch.save({"format": "dcell-checkpoint", "version": _Malice()}, path)
    elif kind == "other":
        torch.save({"weights": torch.zeros(3)}, path)
    else:
        torch.save(state | {"version": 99}, path)
    with pytest.raises(ArtefactError, match=r"model\.pt"):
        checkpoint.load(path)
    assert not Path("/tmp/dcell-was-here").exists()


def test_flipped_bytes_are_refused_or_do_not_matter(tmp_path: Path) -> None:
    """Zip archives have bytes that mean nothing: what is read is what was written, or nothing."""
    path = tmp_path / "model.pt"
    written(path)
    raw, state = path.read_bytes(), checkpoint.load(path)
    refused = 0
    for place in range(0, len(raw), 1 if LONG else 17):
        wrong = bytearray(raw)
        wrong[place] ^= 1 << (place % 8)
        path.write_bytes(wrong)
        try:
            found = checkpoint.load(path)
        except ArtefactError:
            refused += 1
            continue
        assert found.keys() == state.keys()
        for name, tensor in state["model"].items():
            assert torch.equal(found["model"][name], tensor)
    assert refused > len(raw) / 17 / 4


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no such checkpoint"):
        checkpoint.load(tmp_path / "nowhere.pt")
