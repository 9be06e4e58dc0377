"""Disks that are full, read-only or forbidden: one line, status 1, earlier outputs untouched."""

import builtins
import errno
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from data_specs.layout import DataLayout
from data_specs.parameters.sections import resolve
from dcell_model import cli as model_cli
from dcell_model import train
from pipeline import cli as pipeline_cli
from pipeline.build import STAGES, build
from pipeline.verify import verify
from tests.conftest import TINY, tiny_parameters
from tests.data_specs.test_workers import digests
from tests.processes import Program

BUILD = [
    "build", "--ontology", str(TINY / "tiny.obo"), "--annotations", str(TINY / "tiny.gaf"),
    "--genotypes", str(TINY / "tiny.tsv"), "--set", "annotations.gene_id_columns=[11]",
    "annotations.gene_id_pattern=YAL[0-9]{3}[CW]", "hierarchy.containment=2",
]  # fmt: skip
QUICK = ["train.epochs=2", "train.batch_size=16", "baselines.mlp_epochs=2"]

# Runs a command once for every limit of a file's size, which stands in for a full disk.
LIMITED = """
import contextlib, io, json, resource, sys
from pipeline import cli as pipeline
from dcell_model import cli as model
commands = {"build": pipeline.main, "train": model.main}
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
ends = []
for limit in json.loads(sys.argv[1]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            commands[sys.argv[2]](sys.argv[2:])
            status = 0
        except SystemExit as end:
            status = end.code
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    ends.append((said.getvalue(), status))
print(json.dumps(ends), file=sys.stderr)
"""


def limited(limits: list[int], command: list[str], cwd: Path) -> list[tuple[str, int]]:
    """What each run said last, and how it ended."""
    process = Program("-c", LIMITED, json.dumps(limits), *command, cwd=cwd)
    _, error = process.communicate()
    assert process.returncode == 0, error
    assert "Traceback" not in error
    ends = json.loads(error.splitlines()[-1])
    assert len(ends) == len(limits)
    return [(said.splitlines()[-1], status) for said, status in ends]


def sizes(folder: Path) -> list[int]:
    return sorted({path.stat().st_size for path in folder.rglob("*") if path.is_file()})


def test_disk_full_at_every_file_of_a_build(tmp_path: Path) -> None:
    pipeline_cli.main([*BUILD, "--out", str(tmp_path / "build")])
    before = digests(tmp_path / "build")
    limits = [size - 1 for size in sizes(tmp_path / "build")]
    again = [*BUILD, "--overwrite", "--out", str(tmp_path / "build")]
    for said, status in limited(limits, again, tmp_path):
        assert status == 1
        assert said.startswith("error: ")
        assert "cannot be written" in said
        assert "/." not in said, "a path that the user does not know"
    assert digests(tmp_path / "build") == before
    assert all(check.passed for check in verify(DataLayout(tmp_path / "build")))
    assert [path.name for path in tmp_path.iterdir()] == ["build"]


STAGE_BY_STAGE = """
import json, resource, sys
from pathlib import Path
from data_specs.errors import InputError
from data_specs.layout import DataLayout
from data_specs.parameters import resolve
from pipeline.build import STAGES
from tests.conftest import tiny_parameters
from tests.test_faults import sizes
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
layout = DataLayout(Path(sys.argv[1]))
said = {}
for name, stage in STAGES.items():
    folder = layout.root / name
    for limit in [size - 1 for size in sizes(folder)]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            stage(resolve(tiny_parameters()), layout)
        except InputError as error:
            said[f"{name} {limit}"] = str(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(json.dumps(said))
"""


def test_disk_full_at_every_file_of_every_stage(tmp_path: Path) -> None:
    out = build(resolve(tiny_parameters()), tmp_path / "build").root
    before = digests(out)
    process = Program("-c", STAGE_BY_STAGE, str(out))
    printed, error = process.communicate()
    assert process.returncode == 0, error
    said = json.loads(printed)
    stages = [name for name in STAGES if name != "simulate"]
    for name in stages:
        limits = [size - 1 for size in sizes(out / name)]
        assert [f"{name} {limit}" in said for limit in limits] == [True] * len(limits), name
    for message in said.values():
        assert "cannot be written" in message
        assert "/." not in message
    assert digests(out) == before
    assert not list(out.glob(".*"))


def test_disk_full_at_every_file_of_a_run(tiny_build: Path, tmp_path: Path) -> None:
    """Each time the earlier run can be replaced still, and no file is left half."""
    out = tmp_path / "run"
    command = ["train", "--data", str(tiny_build), "--out", str(out), "--overwrite",
               "--set", *QUICK]  # fmt: skip
    model_cli.main(command)
    # Times and the like have more digits in one run than in another.
    limits = [size * 9 // 10 for size in sizes(out) if size > 200]
    for said, status in limited(limits, command, tmp_path):
        assert status == 1
        if said != f"error: {out}: cannot be written: File too large":  # not even the lock
            assert said.startswith(f"error: {out}/")
            assert said.endswith("File too large. Nothing was left behind; earlier files are "
                                 "untouched.")  # fmt: skip
    assert not list(out.glob(".*"))
    model_cli.main(command)


def test_a_run_that_cannot_begin_leaves_the_earlier_one(tiny_build: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    given = resolve({"train": {"epochs": 1, "batch_size": 16}})
    train.run(tiny_build, out, given)
    before = digests(out)
    command = ["train", "--data", str(tiny_build), "--out", str(out), "--overwrite",
               "--set", *QUICK]  # fmt: skip
    ((said, status),) = limited([10], command, tmp_path)
    assert status == 1
    assert said == f"error: {out}: cannot be written: File too large"
    assert digests(out) == before


OPEN = io.open


class Forbid:
    """Makes the operating system refuse a path, as tests run by root cannot have it."""

    def __init__(self, patch: pytest.MonkeyPatch, path: Path, code: int, writing: bool) -> None:
        self.path, self.code, self.writing = path, code, writing
        for module, name in (
            (os, "mkdir"), (os, "unlink"), (os, "rename"), (os, "open"), (io, "open"),
            (builtins, "open"),
        ):  # fmt: skip
            patch.setattr(module, name, self._guard(getattr(module, name)))

    def _guard(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(path: Any, *given: Any, **named: Any) -> Any:
            writes = function is not OPEN or (given and set(str(given[0])) & set("wax+"))
            if isinstance(path, str | os.PathLike) and (writes or not self.writing):
                place = Path(os.fspath(path))
                if place.is_absolute() and place.is_relative_to(self.path):
                    raise OSError(self.code, os.strerror(self.code), str(path))
            return function(path, *given, **named)

        return guarded


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_output_that_cannot_be_written(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], code: int,
) -> None:  # fmt: skip
    disk = tmp_path / "disk"
    given = resolve({"train": {"epochs": 1, "batch_size": 16}})
    train.run(tiny_build, disk / "run", given)
    pipeline_cli.main([*BUILD, "--out", str(disk / "build")])
    before = digests(disk)
    capsys.readouterr()
    commands = (
        (pipeline_cli.main, [*BUILD, "--out"], "build"),
        (model_cli.main, ["train", "--data", str(tiny_build), "--out"], "run"),
    )
    with monkeypatch.context() as patch:
        Forbid(patch, disk, code, writing=True)
        for main, command, folder in commands:
            with pytest.raises(SystemExit) as end:
                main([*command, str(disk / folder), "--overwrite"])
            said = capsys.readouterr().err
            assert end.value.code == 1
            assert said.startswith(f"error: {disk / folder}")
            assert f"{folder}: cannot be written: {os.strerror(code)}\n" in said
    assert digests(disk) == before


@pytest.mark.parametrize("name", ["tiny.obo", "tiny.gaf", "tiny.tsv"])
def test_input_that_may_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with monkeypatch.context() as patch:
        Forbid(patch, TINY / name, errno.EACCES, writing=False)
        with pytest.raises(SystemExit) as end:
            pipeline_cli.main([*BUILD, "--out", str(tmp_path / "build")])
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert said == f"error: {TINY / name}: cannot be read: Permission denied\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["cell_graph/cell_graph.json", "cell_graph/edges.arrow", "store/manifest.json",
             "store/00000/data.mdb", "split/split.parquet", "params.json"],
)  # fmt: skip
def test_artefact_that_may_not_be_read(
    tiny_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], name: str,
) -> None:  # fmt: skip
    command = ["train", "--data", str(tiny_build), "--out", str(tmp_path / "run")]
    with monkeypatch.context() as patch:
        Forbid(patch, tiny_build / name, errno.EACCES, writing=False)
        if name.endswith("split.parquet"):  # Arrow opens it by itself
            patch.setattr("pyarrow.parquet.read_table", lambda path: open(path).close())  # noqa: PTH123
        if name.endswith(".arrow"):  # and Arrow opens these
            whole = pa.memory_map

            def asked(path: str) -> pa.MemoryMappedFile:
                with open(path, "rb"):  # noqa: PTH123
                    return whole(path)

            patch.setattr("pyarrow.memory_map", asked)
        with pytest.raises(SystemExit) as end:
            model_cli.main(command)
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {tiny_build / name}: ")
    assert "Permission denied" in said
    assert not (tmp_path / "run").exists()


def test_the_parameters_of_these_builds_are_those_of_the_fixture(tmp_path: Path) -> None:
    """What `BUILD` says on the command line is what `tiny_build` is made with."""
    pipeline_cli.main([*BUILD, "--out", str(tmp_path / "build")])
    made = resolve(json.loads((tmp_path / "build" / "params.json").read_text()))
    assert made == resolve(tiny_parameters())
