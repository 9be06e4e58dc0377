"""Checkpoints of strangers, each with the right checksum: what is in them is used, or refused."""

import copy
import dataclasses
import json
import math
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_specs.cell_graph import CellGraph
from data_specs.errors import ArtefactError, InputError
from data_specs.layout import DataLayout
from data_specs.parameters.sections import resolve
from dcell_model import models as model_kinds
from dcell_model import train
from dcell_model.checkpoint import format as checkpoint
from dcell_model.checkpoint import per_term_file
from dcell_model.data.dataset import MutantStateDataset
from dcell_model.dcell.layout import tensor_shapes
from dcell_model.dcell.model import DCell
from dcell_model.predict.opened_run import open_run
from dcell_model.screen.command import Settings, run
from dcell_model.train import resumed_state
from tests.conftest import examples
from tests.hierarchies import random_cell_graph
from tests.processes import Program

HUGE = 10**7
EPOCHS = {"epochs": 2, "batch_size": 16}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a checkpoint, at every depth."""
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, own in inner:
        yield (*path, key)
        yield from places(own, (*path, key))


def put(state: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        state = state[key]
    if value is DROPPED:
        del state[path[-1]]
    else:
        state[path[-1]] = value


def at(state: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        state = state[key]
    return state


class _Dropped:
    def __repr__(self) -> str:
        return "dropped"


DROPPED = _Dropped()
VALUES = [
    DROPPED, None, "", "x", 0, -1, HUGE, True, 1.5, math.nan, math.inf, [], {}, ["x", "x"],
    [1, 2], {"x": 1}, {1: 2}, torch.zeros(0), torch.tensor(math.nan),
    torch.ones(3, dtype=torch.int64),
    torch.ones(2, 2), torch.ones(1, dtype=torch.complex64),
]  # fmt: skip
OF_TENSORS: dict[str, Callable[[torch.Tensor], Any]] = {
    "longer": lambda t: torch.cat([t.flatten(), t.flatten()[:1]]),
    "shorter": lambda t: t.flatten()[:-1],
    "deeper": lambda t: t.unsqueeze(0),
    "nan": lambda t: t.float() * math.nan,
    "one inf": lambda t: torch.where(
        torch.arange(t.numel()).view(t.shape) == 0, math.inf, t.float()
    ),
    "negative": lambda t: -t.float() - 1,
    "double": lambda t: t.double(),
    "half": lambda t: t.half(),
    "integers": lambda t: t.long(),
    "too large for float32": lambda t: t.double() + 1e300,
    "twice the same": lambda t: t.flatten()[:1].expand(t.numel()).view(t.shape),
}  # fmt: skip


def mutations(state: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in places(state):
        tensor = at(state, path)
        kinds: list[tuple[str, Any]] = [(repr(value)[:40], value) for value in VALUES]
        if isinstance(tensor, torch.Tensor) and tensor.numel():
            kinds += [(name, change(tensor)) for name, change in OF_TENSORS.items()]
        for name, value in kinds:
            changed = copy.deepcopy(state)
            put(changed, path, value)
            yield f"{'.'.join(map(str, path))}: {name}", changed


def attempt(read: Callable[[], object], path: Path, what: str) -> bool:
    """Whether it is read; else it must be refused in words that name the file."""
    refused = None
    try:
        read()
    except InputError as error:
        refused = str(error)
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    assert refused is None or str(path) in refused, what
    assert refused is None or len(refused) < 600, what
    return refused is None


def test_every_entry_of_a_checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> None:
    state = checkpoint.load(tiny_checkpoint)
    path = tmp_path / "checkpoint.pt"
    genes = np.array([[0, 1]])
    used = []

    def read() -> None:
        trained = open_run(path)
        assert np.isfinite(trained.predict(genes)).all() or "twice" in what

    for what, changed in mutations(state):
        checkpoint.save(changed, path)
        if attempt(read, path, what):
            used.append(what)
    used.remove("cell_graph.cell_graph.json: shorter")  # without its final newline
    used.remove("members: []")  # which it is
    # What is left does not change what the model is: another epoch, no origin, other numbers.
    assert {what.partition(":")[0].partition(".")[0] for what in used} <= {
        "epoch", "made_from", "model", "target_mean", "target_std", "phenotypes", "parameters",
        "calibration", "seen_genes",
    }  # fmt: skip
    assert not [what for what in used if "nan" in what or "inf" in what or "dropped" in what]


PARAMETERS: list[tuple[str, Any]] = [
    ("model.width_min", HUGE), ("model.width_min", 10**30), ("model.width_ratio", 1e300),
    ("model.width_ratio", math.inf), ("model.width_ratio", math.nan),
    ("model.gene_embedding", HUGE), ("model.attention_heads", 2), ("model.attention_heads", 3),
    ("model.layers", 2), ("model.norm", "none"), ("model.width_genes", "direct"),
    ("model.no_such", 1), ("model.width_min", "x"), ("model.width_min", -1), ("train.model", "x"),
    ("train.model", "dango"), ("train.engine", "x"), ("model", 3), ("nonsense", {"x": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), PARAMETERS)
def test_parameters_that_ask_for_another_model(
    tiny_checkpoint: Path, tmp_path: Path, key: str, value: Any
) -> None:
    state = checkpoint.load(tiny_checkpoint)
    values = json.loads(state["parameters"])
    section, _, name = key.partition(".")
    values[section] = {**values[section], name: value} if name else value
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(state | {"parameters": json.dumps(values)}, path)
    read = attempt(lambda: open_run(path), path, key)
    assert not read or key == "model.width_genes"


MEASURED = """
import resource, sys
from pathlib import Path
import torch
from data_specs.errors import InputError
from dcell_model.checkpoint.per_term_file import import_
from dcell_model.predict.opened_run import open_run
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
path = Path(sys.argv[1])
try:
    import_(path) if path.suffix == ".npz" else open_run(path)
    raise SystemExit("was read")
except InputError as error:
    print(error)
more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(more // 1024, "MiB")
raise SystemExit(more > 200 * 1024 and "took memory")
"""


@pytest.mark.parametrize(
    ("width", "said"), [(HUGE, "at least 1 and at most 100000"), (10**5, "has shape")]
)
@pytest.mark.parametrize("kind", ["pt", "npz"])
def test_a_small_file_that_asks_for_gigabytes(
    tiny_checkpoint: Path, tmp_path: Path, kind: str, width: int, said: str
) -> None:
    path = tmp_path / f"model.{kind}"
    state = checkpoint.load(tiny_checkpoint)
    values = json.loads(state["parameters"])
    values["model"]["width_min"] = width
    if kind == "pt":
        checkpoint.save(state | {"parameters": json.dumps(values)}, path)
    else:
        per_term_file.export(state, tiny_checkpoint, path)
        with np.load(path) as archive:
            arrays = dict(archive)
        text = str(arrays[per_term_file.DESCRIPTION])
        huge = json.loads(text)
        huge["checkpoint"]["values"]["parameters"] = json.dumps(values)
        arrays[per_term_file.DESCRIPTION] = np.array(json.dumps(huge))
        np.savez(path, **arrays)
    process = Program("-c", MEASURED, str(path))
    printed, error = process.communicate()
    assert process.returncode == 0, printed + error
    assert said in printed


def test_compressed_parts_are_not_unpacked(tiny_checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with (
        zipfile.ZipFile(tiny_checkpoint) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    with pytest.raises(ArtefactError, match=r"bomb\.pt: is a file of PyTorch; expected"):
        checkpoint.load(path)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_import_names_the_array(tiny_checkpoint: Path, tmp_path: Path, value: float) -> None:
    path = tmp_path / "model.npz"
    per_term_file.export(checkpoint.load(tiny_checkpoint), tiny_checkpoint, path)
    with np.load(path) as archive:
        arrays = dict(archive)
    name = next(each for each in arrays if each.endswith("linear.weight"))
    arrays[name] = arrays[name].copy()
    arrays[name].flat[0] = value
    np.savez(path, **arrays)
    with pytest.raises(ArtefactError, match=f"{name}' has 1 of .* not finite"):
        per_term_file.import_(path)


VARIANTS: list[dict[str, Any]] = [
    {}, {"norm": "none"}, {"norm": "layer", "layers": 2}, {"gene_embedding": 3, "layers": 2},
    {"width_genes": "direct", "width_ratio": 0.7},
    {"attention_heads": 2, "layers": 2}, {"attention_heads": 4, "gene_embedding": 3},
]  # fmt: skip


@pytest.mark.parametrize("config", VARIANTS)
@pytest.mark.parametrize("phenotypes", [1, 3])
def test_shapes_are_those_of_the_model(config: dict[str, Any], phenotypes: int) -> None:
    graph = random_cell_graph(3)
    own = resolve({"model": {"width_min": 2, **config}}).model
    model = DCell(graph, own, phenotypes=phenotypes)
    shapes = tensor_shapes(graph, own, phenotypes)
    assert {n: tuple(v.shape) for n, v in model.state_dict().items()} == shapes
    exported = per_term_file.export_subsystems(model)
    found = per_term_file.term_shapes(graph, own, phenotypes)
    assert {n: tuple(v.shape) for n, v in exported.items()} == found


GRAPHS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "gene out of range": lambda g: {"annotations": g["annotations"] + [[0, 10**6]]},
    "negative": lambda g: {"annotations": g["annotations"] * [[-1, 1]]},
    "edge out of range": lambda g: {"edges": g["edges"] + 10**6},
    "edges not sorted": lambda g: {"edges": g["edges"][::-1]},
    "edge twice": lambda g: {"edges": np.concatenate([g["edges"][:1], g["edges"]])},
    "no edges": lambda g: {"edges": g["edges"][:0]},
    "cycle": lambda g: {"edges": np.array(sorted([*g["edges"].tolist(), [0, 1]]))},
    "strata": lambda g: {"strata": g["strata"] + 1},
    "heights": lambda g: {"heights": g["heights"] + 10**9},
    "genes contained": lambda g: {"genes_contained": g["genes_contained"] + 10**12},
    "genes contained below 0": lambda g: {"genes_contained": g["genes_contained"] * -1},
    "term twice": lambda g: {"term_ids": [g["term_ids"][0]] * len(g["term_ids"])},
    "gene twice": lambda g: {"gene_ids": [g["gene_ids"][0]] * len(g["gene_ids"])},
}  # fmt: skip


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_cell_graph_that_no_build_writes(
    tiny_checkpoint: Path, tmp_path: Path, kind: str
) -> None:
    state = checkpoint.load(tiny_checkpoint)
    good = checkpoint.cell_graph_of(state, tiny_checkpoint)
    arrays = {field.name: getattr(good, field.name) for field in dataclasses.fields(good)}
    wrong = CellGraph(**{**arrays, **GRAPHS[kind](arrays)})
    files = {n: torch.frombuffer(bytearray(raw), dtype=torch.uint8)
             for n, raw in wrong.to_files().items()}  # fmt: skip
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(state | {"cell_graph": files, "fingerprint": wrong.fingerprint}, path)
    with pytest.raises(ArtefactError, match=r"checkpoint\.pt.* no build writes such a cell graph"):
        open_run(path)


@pytest.fixture(scope="module")
def begun(tiny_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of two epochs; read only."""
    out = tmp_path_factory.mktemp("begun") / "run"
    train.run(tiny_build, out, resolve({"train": EPOCHS}))
    return out


def test_every_entry_of_the_state_of_training(begun: Path, tiny_build: Path) -> None:
    path = begun / "last.pt"
    state = checkpoint.load(path)
    dataset = MutantStateDataset(DataLayout(tiny_build).store)
    parameters = resolve({"train": EPOCHS})
    record = model_kinds.record_of(parameters.train.model)
    model = record.create(DataLayout(tiny_build), dataset, parameters, len(dataset.phenotypes))
    names = ("optimizer", "history", "best", "under_way", "preparation")
    own = {name: state[name] for name in names}
    own["optimizer"]["state"] = {0: own["optimizer"]["state"][0]}  # the others are like it
    used = []
    for what, changed in mutations(own):
        changed["model"] = state["model"]
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2, fused=True)

        def take_up(changed: Any = changed, optimizer: Any = optimizer) -> None:
            resumed_state.take_up(changed, model, optimizer, path)
            sum(p.sum() for p in model.parameters()).backward()  # type: ignore[union-attr]
            optimizer.step()

        if attempt(take_up, path, what):
            used.append(what)
    assert not [w for w in used if "shorter" in w or "longer" in w or "deeper" in w]
    assert not [w for w in used if w.startswith("optimizer.state.0.") and "dropped" in w]


@settings(max_examples=examples(25), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_run_goes_on_or_says_why_not(begun: Path, tiny_build: Path, data: st.DataObject) -> None:
    """Through `dcell train --resume` itself, with a third epoch to train."""
    state = checkpoint.load(begun / "last.pt")
    path = data.draw(st.sampled_from(sorted(places(state), key=str)))
    value = at(state, path)
    kinds = [*VALUES]
    if isinstance(value, torch.Tensor) and value.numel():
        kinds += [change(value) for change in OF_TENSORS.values()]
    put(state, path, data.draw(st.sampled_from(kinds)))
    out = begun.parent / "again"
    out.mkdir(exist_ok=True)
    for name in ("dcell-run.json", "checkpoint.pt"):
        (out / name).write_bytes((begun / name).read_bytes())
    checkpoint.save(state, out / "last.pt")
    parameters = resolve({"train": {**EPOCHS, "schedule": "cosine"}})
    attempt(lambda: train.run(tiny_build, out, parameters, resume=True), out / "last.pt", str(path))


def test_what_the_checkpoint_does_not_say(begun: Path, tiny_build: Path, tmp_path: Path) -> None:
    from dcell_model.explain import command as explain

    state = checkpoint.load(begun / "checkpoint.pt")
    path = tmp_path / "checkpoint.pt"
    for missing in ("store", "cell_graph", "split"):
        made_from = {k: v for k, v in state["made_from"].items() if k != missing}
        checkpoint.save(state | {"made_from": made_from}, path)
        with pytest.raises(ArtefactError, match="does not say from which"):
            explain.run(path, tiny_build, tmp_path / "explained")


def test_numbers_too_large_are_not_ranked(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Each weight is finite, but not what the model makes of them."""
    state = checkpoint.load(tiny_checkpoint)
    for name, value in (("head_weight", 3e38), ("norm_weight", 1e6)):
        state["model"][name] = torch.full_like(state["model"][name], value)
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(state, path)
    for order in (2, 3):
        with pytest.raises(InputError, match="which has no rank"):
            run(path, tmp_path / f"s{order}", Settings(order=order, score="additive"))
