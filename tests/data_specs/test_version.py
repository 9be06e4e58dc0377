"""One version, wherever it is asked for."""

import importlib.metadata
import subprocess
import sys
import tomllib

import pytest

import dcell_model
from data_specs.version import version
from dcell_model import cli
from pipeline import cli as data_cli
from tests.conftest import CHECKOUT


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert version() == dcell_model.__version__ == project["version"]
    for main, name in ((cli.main, "dcell"), (data_cli.main, "dcell-data")):
        with pytest.raises(SystemExit) as end:
            main(["--version"])
        assert end.value.code == 0
        assert capsys.readouterr().out == f"{name} {project['version']}\n"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dcell_model.nothing


def test_what_is_not_installed_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "version", none)
    assert version() == "unknown: not installed"


def test_an_import_stays_cheap() -> None:
    script = "import sys, dcell_model; print([n for n in sys.modules if n in ('torch', 'tomllib')])"
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True)
    assert done.stdout == b"[]\n"
