"""The shape of the house: who imports whom, and what an import costs."""

import ast
import subprocess
import sys
from pathlib import Path

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
    programs = 0
    for package in ("data_specs", "pipeline", "dcell_model"):
        for module in (CHECKOUT / package).rglob("*.py"):
            text = module.read_text(encoding="utf-8")
            if 'if __name__ == "__main__":' in text:
                programs += 1
                assert "with exit_with_message()" in text or "run_stage(run)" in text, module
                assert "    options = parser.parse_args" not in text.split("exit_with_message()")[0]
    assert programs > 20
