"""Checkpoints term by term: out to a file without pickles, and back to the same predictions."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_specs.cell_graph import CellGraph
from data_specs.errors import ArtefactError
from data_specs.parameters.sections import resolve
from dcell_model import cli
from dcell_model.checkpoint import format as checkpoint
from dcell_model.checkpoint.per_term_file import DESCRIPTION, export, import_
from dcell_model.data.dataset import encode_genotypes
from dcell_model.dcell.model import DCell
from tests.hierarchies import random_cell_graph

GRAPH = random_cell_graph(6)
WHERE = Path("model.pt")


def state_of(graph: CellGraph = GRAPH, **config: Any) -> checkpoint.Checkpoint:
    """A checkpoint of a model that has seen a batch, so that running statistics are its own."""
    torch.manual_seed(0)
    parameters = resolve({"model": {"width_min": 3, **config}})
    model = DCell(graph, parameters.model, phenotypes=2)
    model(encode_genotypes(graph, [[0], [1, 2], [3], []]))
    scale = (torch.tensor([0.1, 1 / 3]), torch.tensor([2.0, 0.7]))
    return checkpoint.describe(model, parameters, ("a", "b"), scale, 7, {"store": "0" * 64})


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"gene_embedding": 3},
        {"layers": 2, "norm": "layer"},
        {"norm": "none"},
        {"attention_heads": 4, "gene_embedding": 2},
    ],
)
def test_round_trip_is_the_same_checkpoint(tmp_path: Path, config: dict[str, Any]) -> None:
    state = state_of(**config)
    export(state, WHERE, tmp_path / "model.npz")
    again = import_(tmp_path / "model.npz")
    assert checkpoint.digest_of(again) == checkpoint.digest_of(state)
    batch = encode_genotypes(GRAPH, [[0], [1, 2], [4, 5, 6]])
    assert torch.equal(
        checkpoint.restore(again, GRAPH, WHERE)[0](batch),
        checkpoint.restore(state, GRAPH, WHERE)[0](batch),
    )


def test_tensors_anywhere_in_a_checkpoint_come_along(tmp_path: Path) -> None:
    files = {"terms.arrow": torch.arange(5, dtype=torch.uint8), "empty": torch.zeros(0)}
    state = state_of() | {"files": files, "list": [1, torch.tensor(2.5), {"x": None}]}
    export(state, WHERE, tmp_path / "model.npz")
    again = import_(tmp_path / "model.npz")
    assert checkpoint.digest_of(again) == checkpoint.digest_of(state)


def test_the_state_of_training_stays_behind(tmp_path: Path) -> None:
    state = state_of()
    export(state | {"optimizer": {"state": {0: 1}}, "history": []}, WHERE, tmp_path / "a.npz")
    export(state, WHERE, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_numpy_alone_reads_it(tmp_path: Path) -> None:
    count = export(state_of(), WHERE, tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as arrays:
        assert len(arrays.files) == count
        weight = arrays[f"subsystems.{GRAPH.term_ids[1]}.linear.weight"]
        assert weight.dtype == np.float32
        assert weight.ndim == 2


def test_parameters_from_elsewhere(tmp_path: Path) -> None:
    export(state_of(), WHERE, tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as archive:
        arrays = dict(archive)
    name = f"subsystems.{GRAPH.term_ids[0]}.head.bias"
    arrays[name] = np.array([5, 6], dtype=np.float32)
    np.savez(tmp_path / "changed.npz", **arrays)
    again = import_(tmp_path / "changed.npz")
    assert again["model"]["head_bias"][0].tolist() == [5, 6]


def changed(path: Path, **changes: np.ndarray | None) -> None:
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays |= {name: value for name, value in changes.items() if value is not None}
    np.savez(path, **{name: v for name, v in arrays.items() if changes.get(name, 0) is not None})


BIAS = f"subsystems.{GRAPH.term_ids[1]}.linear.bias"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({BIAS: None}, r"linear\.bias' is missing"),
        ({BIAS: np.zeros(1, dtype=np.float32)}, r"linear\.bias' has shape \[1\]"),
        ({BIAS: np.zeros(3)}, r"linear\.bias' is torch\.float64; expected torch\.float32"),
        ({"extra": np.zeros(1)}, r"'extra' belongs to no subsystem"),
        ({BIAS: np.array(["x"])}, "not readable as a per-term file"),
        ({DESCRIPTION: None}, "not readable as a per-term file"),
        ({DESCRIPTION: np.array("{}")}, "not readable as a per-term file"),
        ({DESCRIPTION: np.array('{"format": "x", "version": 1}')}, "format x version 1"),
        ({"checkpoint.target_mean": None}, "not readable as a per-term file"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, changes: dict[str, np.ndarray | None], message: str
) -> None:
    export(state_of(), WHERE, tmp_path / "model.npz")
    changed(tmp_path / "model.npz", **changes)
    with pytest.raises(ArtefactError, match=message):
        import_(tmp_path / "model.npz")


def test_other_hierarchy(tmp_path: Path) -> None:
    """Parameters of one, and the cell graph of another."""
    other = state_of(random_cell_graph(7))["cell_graph"]
    export(state_of(), WHERE, tmp_path / "model.npz")
    files = {f"checkpoint.cell_graph.{name}": value.numpy() for name, value in other.items()}
    changed(tmp_path / "model.npz", **files)
    with pytest.raises(ArtefactError, match="belongs to the hierarchy with fingerprint"):
        import_(tmp_path / "model.npz")
    changed(tmp_path / "model.npz", **{"checkpoint.cell_graph.terms.arrow": np.zeros(9, np.uint8)})
    with pytest.raises(ArtefactError, match=r"terms\.arrow: its checksum differs"):
        import_(tmp_path / "model.npz")


def test_earlier_versions_had_no_cell_graph(tmp_path: Path) -> None:
    export(state_of(), WHERE, tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as archive:
        description = json.loads(str(archive[DESCRIPTION]))
    description["checkpoint"]["values"]["version"] = 4
    changed(tmp_path / "model.npz", **{DESCRIPTION: np.array(json.dumps(description))})
    with pytest.raises(ArtefactError, match="checkpoint version 4; expected 7"):
        import_(tmp_path / "model.npz")


def test_what_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no such file"):
        import_(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("text")
    with pytest.raises(ArtefactError, match="not readable as a per-term file"):
        import_(tmp_path / "text.npz")
    np.savez(tmp_path / "pickle.npz", x=np.array([object()]))
    with pytest.raises(ArtefactError, match="allow_pickle"):
        import_(tmp_path / "pickle.npz")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(2**20))
    with pytest.raises(ArtefactError, match="its parts are compressed"):
        import_(tmp_path / "bomb.npz")


def test_commands(tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = CellGraph.read(tiny_build / "cell_graph")
    state = state_of(graph)
    first, middle, last = (str(tmp_path / name) for name in ("a.pt", "b.npz", "c.pt"))
    checkpoint.save(state, Path(first))
    cli.main(["export", "--checkpoint", first, "--out", middle])
    assert f"{graph.num_terms} terms" in capsys.readouterr().out
    cli.main(["import", "--parameters", middle, "--out", last])
    again = checkpoint.load(Path(last))
    assert checkpoint.digest_of(again) == checkpoint.digest_of(state)
    with pytest.raises(SystemExit):
        cli.main(["import", "--parameters", first, "--out", last])
    assert "not readable as a per-term file" in capsys.readouterr().err
