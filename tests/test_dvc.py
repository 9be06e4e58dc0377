"""`dvc.yaml` says what every stage really depends on."""

import ast
import configparser
import functools
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from data_specs.parameters import given as parameter_input
from data_specs.parameters import sections as parameters
from data_specs.parameters.presets import PRESETS, PROFILES
from tests.conftest import CHECKOUT

STAGES: dict[str, Any] = yaml.safe_load((CHECKOUT / "dvc.yaml").read_text())["stages"]
PACKAGES = ("data_specs", "pipeline", "dcell_model")


def module_of(stage: str) -> str:
    return str(STAGES[stage]["cmd"]).removeprefix("python -m ")


def file_of(module: str) -> Path | None:
    path = CHECKOUT / Path(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@functools.cache
def imports(module: str) -> frozenset[str]:
    """Modules of this project that a module imports, and the packages they lie in."""
    file = file_of(module)
    assert file is not None, module
    names = {".".join(module.split(".")[:n]) for n in range(1, module.count(".") + 1)}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(n for n in names if n.split(".")[0] in PACKAGES and file_of(n))


def closure(module: str) -> set[str]:
    """What running a module depends on: `data_specs`, and packages and modules of the others.

    The two programs' own `__init__` computes nothing.
    """
    seen: set[str] = set()
    todo = [module]
    if file_of(f"{module}.__main__"):
        todo.append(f"{module}.__main__")
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += imports(name)
    files = (path.relative_to(CHECKOUT) for name in seen if (path := file_of(name)))
    found = {path.parts[:1] if path.parts[0] == "data_specs" else path.parts[:2] for path in files}
    return {"/".join(parts) for parts in found if parts[-1] != "__init__.py"}


@pytest.mark.parametrize("stage", STAGES)
def test_stage_lists_every_package_that_it_imports(stage: str) -> None:
    listed = {dep for dep in STAGES[stage]["deps"] if dep.split("/")[0] in PACKAGES}
    assert listed == closure(module_of(stage))


def test_the_file_fits_on_three_screens() -> None:
    assert len((CHECKOUT / "dvc.yaml").read_text().splitlines()) <= 200


@pytest.mark.parametrize(
    ("edited", "stages"),
    [
        ("dcell_model/report", ["report"]),
        ("dcell_model/explain", ["report"]),
        ("dcell_model/evaluate", ["evaluate", "report"]),
        ("dcell_model/baselines", ["baselines", "evaluate", "report"]),
        ("dcell_model/train", ["train"]),
        ("dcell_model/dcell", ["train", "baselines", "evaluate", "report"]),
        ("pipeline/ledger", ["ledger"]),
        ("pipeline/split", ["split"]),
        ("pipeline/ontology", ["ontology"]),
        ("dcell_model/serve", []),
        ("dcell_model/screen", []),
        ("dcell_model/tune", []),
        ("pipeline/verify/build.py", []),
    ],
)
def test_what_an_edit_runs_again(edited: str, stages: list[str]) -> None:
    """At most, that is: a stage whose outputs come out as before stops those that read them."""
    found = [name for name, stage in STAGES.items() if edited in stage["deps"]]
    assert sorted(found) == sorted(stages)


@pytest.mark.parametrize("stage", STAGES)
def test_stage_and_module_share_a_name(stage: str) -> None:
    assert module_of(stage).split(".")[1] == stage


# Modules to which a stage hands all its parameters on.
HANDED_ON = {
    "train": ("dcell_model.models",),
    "baselines": ("dcell_model.baselines.results", "dcell_model.baselines.samples"),
}


def inner(module: str) -> str:
    """The module of a package that has the stage's `run`."""
    inside = {"dcell_model.train": "loop", "dcell_model.baselines": "results"}.get(module, "stage")
    return f"{module}.{inside}" if file_of(f"{module}.{inside}") else module


@pytest.mark.parametrize("stage", STAGES)
def test_stage_lists_the_parameters_that_it_reads(stage: str) -> None:
    names = [inner(module_of(stage)), *HANDED_ON.get(stage, ())]
    names += [own] if file_of(own := f"{module_of(stage)}.__main__") else []
    files = [file_of(name) for name in names]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files if file is not None]
    assert len(trees) == len(files)
    read = {
        node.attr
        for node in itertools.chain.from_iterable(map(ast.walk, trees))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value) in ("parameters", "self.parameters")
        and node.attr in parameters.SECTIONS
        and node.attr != "dask"  # who does the work: no output depends on it
    }
    listed = set(STAGES[stage].get("params", []))
    assert {key.split(".")[0] for key in listed - {"preset", "sources.profile"}} == read
    settings = {section for setting in PRESETS.values() for section in setting}
    if read & settings:
        assert "preset" in listed
    if read & {section for setting in PROFILES.values() for section in setting}:
        assert "sources.profile" in listed


def test_params_file_names_every_parameter_once() -> None:
    given = yaml.safe_load((CHECKOUT / "params.yaml").read_text())
    named = {f"{s}.{k}" for s, keys in given.items() if isinstance(keys, dict) for k in keys}
    assert named == set(parameters.KEYS)
    demo = parameters.resolve({"sources": {"profile": "demo"}})
    assert parameter_input.load(CHECKOUT / "params.yaml") == parameters.Parameters(
        annotations=demo.annotations, hierarchy=demo.hierarchy
    )


def test_params_file_shows_the_defaults() -> None:
    for line in (CHECKOUT / "params.yaml").read_text().splitlines():
        if line.startswith("  ") and "#" in line:
            key, _, shown = line.strip().partition("#")
            key = key.partition(":")[0]
            assert any(
                yaml.safe_load(shown) == yaml.safe_load(_shown(getattr(section(), key)))
                for section in parameters.SECTIONS.values()
                if key in section.__dataclass_fields__
            ), line


def test_an_archive_tells_dvc_that_there_is_no_git() -> None:
    """`git archive` fills in what stands after `$Format:` in files marked so."""
    config = (CHECKOUT / ".dvc" / "config").read_text()
    assert "no_scm" not in config.split("$Format:")[0]
    filled = re.sub(r"\$Format:(.*?)\$", lambda m: m[1].replace("%n", "\n"), config)
    parsed = configparser.ConfigParser()
    parsed.read_string("\n".join(line.strip() for line in filled.splitlines()))
    assert parsed["core"]["no_scm"] == "true"
    assert (CHECKOUT / ".gitattributes").read_text() == ".dvc/config export-subst\n"


def test_everything_that_a_stage_writes_is_cached() -> None:
    """Else DVC has no numbers to compare, and cannot bring a stage back that it ran before."""
    for stage in STAGES.values():
        for key in ("outs", "metrics", "plots"):
            assert all(isinstance(entry, str) for entry in stage.get(key, []))
    assert [m for stage in STAGES.values() for m in stage.get("metrics", [])] == [
        "results/scores.json"
    ]


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    return (
        "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )
