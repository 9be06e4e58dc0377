"""The shape of the house: who imports whom, and what an import costs."""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

from tests.conftest import CHECKOUT


def imported(module: Path) -> set[str]:
    """Top-level packages that a module imports anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize(
    ("package", "strangers"),
    [
        ("pipeline", {"dcell_model"}),
        ("dcell_model", {"pipeline"}),
        ("data_specs", {"pipeline", "dcell_model"}),
    ],
)
def test_data_flows_one_way(package: str, strangers: set[str]) -> None:
    for module in (CHECKOUT / package).rglob("*.py"):
        assert not imported(module) & strangers, module


def test_dcell_model_imports_little() -> None:
    """torch, numpy, pyarrow, lmdb and the standard library; all else where it is used."""
    modules = [
        ".".join(path.relative_to(CHECKOUT).with_suffix("").parts)
        for path in (CHECKOUT / "dcell_model").rglob("*.py")
        if path.name != "__init__.py"
    ]
    assert len(modules) > 10
    others = ["torch_geometric", "polars", "sklearn", "matplotlib", "rich", "torchmetrics",
              "lightning_fabric", "dvclive", "pandas", "scipy", "pooch", "yaml", "tornado",
              "plotly", "optuna"]  # fmt: skip
    script = (
        "import torch, numpy, pyarrow, pyarrow.parquet, lmdb, sys; before = set(sys.modules);"
        f"[__import__(name) for name in {modules}];"
        f"print([name for name in {others} if name in set(sys.modules) - before])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", ["data_specs", "pipeline", "dcell_model"])
def test_modules_are_read_in_one_sitting(package: str) -> None:
    for module in (CHECKOUT / package).rglob("*.py"):
        assert len(module.read_text(encoding="utf-8").splitlines()) <= 350, module
        assert module.stem not in {"utils", "helpers", "common", "misc"}


def test_rich_draws_in_one_place() -> None:
    """Its own console takes names for markup and lets them steer the terminal."""
    for package in ("data_specs", "pipeline", "dcell_model"):
        for module in (CHECKOUT / package).rglob("*.py"):
            text = module.read_text(encoding="utf-8")
            drawing = "rich.console" in text or "from rich import print" in text
            assert drawing == (module == CHECKOUT / "data_specs" / "console.py"), module


def test_every_program_prints_cleanly() -> None:
    """`python -m MODULE` ends in `exit_with_message`, or calls what does."""
    programs, clean = (
        0,
        ("with exit_with_message()", "run_stage(run)", "run_program", "run_command"),
    )
    for package in ("data_specs", "pipeline", "dcell_model"):
        for module in (CHECKOUT / package).rglob("*.py"):
            text = module.read_text(encoding="utf-8")
            if 'if __name__ == "__main__":' in text:
                programs += 1
                assert any(call in text for call in clean), module
                assert "    options = parser.parse_args" not in text.split("exit_with_message()")[0]
    assert programs > 20


PACKAGES = ("data_specs", "pipeline", "dcell_model")


def modules() -> dict[str, Path]:
    """Every module and package of the project, by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in (CHECKOUT / package).rglob("*.py"):
            parts = path.relative_to(CHECKOUT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(path: Path, known: dict[str, Path]) -> Iterator[tuple[str, str]]:
    """Module and name of everything of the project that a module imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module in known:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner, "") if inner in known else (node.module, alias.name)


@functools.cache
def import_graph() -> nx.DiGraph:
    """Who imports whom, types and imports inside functions included."""
    known = modules()
    graph = nx.DiGraph()
    for name, path in known.items():
        graph.add_edges_from((name, other) for other, _ in imports_of(path, known) if other != name)
    return graph


def room(name: str) -> str:
    """The package that a module lies in, or the module itself where it lies in no room."""
    return ".".join(name.split(".")[:2])


def test_no_modules_import_each_other_in_a_circle() -> None:
    circles = [c for c in nx.strongly_connected_components(import_graph()) if len(c) > 1]
    assert circles == []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    """A room that needs another one is not needed by it, so that each can be read before it."""
    graph = nx.DiGraph()
    graph.add_edges_from(
        (room(a), room(b)) for a, b in import_graph().edges if room(a) != room(b) and "." in b
    )
    circles = [c for c in nx.strongly_connected_components(graph) if len(c) > 1]
    assert circles == []


def test_a_room_is_entered_by_its_face() -> None:
    """From outside, names come from a package's `__init__`, which lists them in `__all__`."""
    known = modules()
    for name, path in known.items():
        for other, what in imports_of(path, known):
            inside = other.rsplit(".", 1)[0]
            if not what or room(other) == room(name) or inside in PACKAGES:
                continue
            assert known[other].name == "__init__.py", f"{name} imports {what} from {other}"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_face_names_what_it_gives(package: str) -> None:
    for path in (CHECKOUT / package).rglob("*/__init__.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        given = {
            alias.name
            for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
        }  # fmt: skip
        listed: set[str] = set()
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                listed = set(ast.literal_eval(node.value))
        assert given == listed, path


@pytest.mark.parametrize("package", ["pipeline", "dcell_model"])
def test_a_house_has_few_rooms(package: str) -> None:
    """More than that nobody finds his way in."""
    entries = [p for p in (CHECKOUT / package).iterdir() if p.name != "__pycache__"]
    assert len(entries) <= 22


def test_the_face_of_the_whole_imports_what_is_asked_for() -> None:
    script = (
        "import sys, dcell_model; assert 'torch' not in sys.modules;"
        "given = {name: getattr(dcell_model, name) for name in dcell_model.__all__};"
        "assert given['DCell'].__module__ == 'dcell_model.dcell.model';"
        "assert callable(given['open_run']) and given['predict'].Trained;"
        "print(dcell_model.__version__)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, check=True, capture_output=True)
