"""What a command finds where it is to write: nothing is lost, and it says so before any work."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dcell_model import cli as model_cli
from dcell_model.bench import curves, explain, screen
from pipeline import cli as pipeline_cli

Main = Callable[[list[str]], None]
NOWHERE = "/nowhere/at/all"  # what is read: nothing may be read before the output is refused
CHECKPOINT = ["--checkpoint", f"{NOWHERE}.pt"]
FILES: dict[str, tuple[Main, list[str], str]] = {
    "export": (model_cli.main, ["export", *CHECKPOINT, "--out"], "first.npz"),
    "import": (model_cli.main, ["import", "--parameters", f"{NOWHERE}.npz", "--out"], "model.pt"),
    "predict": (model_cli.main, ["predict", *CHECKPOINT, "--genotypes", "A|B", "--out"], "p.csv"),
    "bench": (model_cli.main, ["bench", "--out"], "bench.json"),
    "report": (model_cli.main, ["report", "--data", NOWHERE, "--run", NOWHERE, "--out"], "r.html"),
    "bench.explain": (explain.main, ["--data", NOWHERE, "--run", NOWHERE, "--out"], "e.json"),
    "bench.screen": (screen.main, ["--data", NOWHERE, "--out"], "s.json"),
}
FOLDERS: dict[str, tuple[Main, list[str]]] = {
    "build": (
        pipeline_cli.main, ["build", "--ontology", NOWHERE, "--genotypes", NOWHERE, "--out"],
    ),
    "simulate": (pipeline_cli.main, ["simulate", "--out"]),
    "data export": (pipeline_cli.main, ["export", NOWHERE, "--format", "cx2", "--out"]),
    "train": (model_cli.main, ["train", "--data", NOWHERE, "--out"]),
    "tune": (model_cli.main, ["tune", "--data", NOWHERE, "--out"]),
    "compare": (model_cli.main, ["compare", "--data", NOWHERE, "--out"]),
    "explain": (model_cli.main, ["explain", *CHECKPOINT, "--data", NOWHERE, "--out"]),
    "screen": (model_cli.main, ["screen", *CHECKPOINT, "--order", "2", "--out"]),
    "bench.curves": (curves.main, ["--data", NOWHERE, "--out"]),
    "bench --profiles": (model_cli.main, ["bench", "--out", f"{NOWHERE}.json", "--profiles"]),
}  # fmt: skip


def refused(main: Main, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1
    return said


def tree(folder: Path) -> dict[str, Any]:
    """All that is in a folder: bytes of files, targets of links, None for folders."""
    return {
        str(path.relative_to(folder)): (
            ("link", os.readlink(path)) if path.is_symlink()  # noqa: PTH115
            else path.read_bytes() if path.is_file() else None
        )
        for path in sorted(folder.rglob("*"))
    }  # fmt: skip


@pytest.fixture
def thesis(tmp_path: Path) -> Path:
    """A folder with work of one's own in it."""
    folder = tmp_path / "thesis"
    (folder / "empty").mkdir(parents=True)
    (folder / "chapters").mkdir()
    (folder / "chapters" / "one.tex").write_text("years of work")
    (folder / ".hidden").write_text("notes")
    (folder / "link").symlink_to("chapters/one.tex")
    return folder


@pytest.mark.parametrize("command", FILES)
def test_a_folder_where_a_file_is_to_be_written(
    thesis: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    main, arguments, name = FILES[command]
    out = thesis.rename(thesis.with_name(name))
    before = tree(thesis.parent)
    for way in (str(out), f"{out}/", f"{out}/chapters/.."):
        assert "is a folder; expected a file to write" in refused(main, [*arguments, way], capsys)
    thesis.with_name(f"link-{name}").symlink_to(out)
    way = str(thesis.with_name(f"link-{name}"))
    assert "is a folder; expected a file to write" in refused(main, [*arguments, way], capsys)
    Path(way).unlink()
    assert tree(thesis.parent) == before


@pytest.mark.parametrize("command", ["export", "import", "predict"])
def test_a_file_is_not_written_below_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    main, arguments, name = FILES[command]
    (tmp_path / "file").write_text("mine")
    said = refused(main, [*arguments, str(tmp_path / "file" / name)], capsys)
    assert f"{tmp_path / 'file'} is no folder" in said


@pytest.mark.parametrize("command", FILES)
def test_devices_and_dangling_links_are_no_files_to_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    main, arguments, name = FILES[command]
    pipe, link = tmp_path / f"pipe-{name}", tmp_path / f"link-{name}"
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "gone")
    assert "is a device or pipe" in refused(main, [*arguments, str(pipe)], capsys)
    said = refused(main, [*arguments, str(link)], capsys)
    assert f"is a link to {tmp_path / 'gone'}, which does not exist" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == [link.name, pipe.name]


@pytest.mark.parametrize("command", sorted(set(FILES) - {"predict"}))
def test_a_file_of_another_kind_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    main, arguments, _ = FILES[command]
    (tmp_path / "thesis.tex").write_text("years of work")
    said = refused(main, [*arguments, str(tmp_path / "thesis.tex")], capsys)
    assert "exists, and is no earlier" in said
    assert tree(tmp_path) == {"thesis.tex": b"years of work"}


@pytest.mark.parametrize("command", FOLDERS)
def test_a_file_where_a_folder_is_to_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    main, arguments = FOLDERS[command]
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("gone")
    before = tree(tmp_path)
    for name in ("file", "link"):
        said = refused(main, [*arguments, str(tmp_path / name)], capsys)
        assert f"{tmp_path / name}: is a file; expected a folder to write" in said
    said = refused(main, [*arguments, str(tmp_path / "file" / "below")], capsys)
    assert f"{tmp_path / 'file'} is no folder" in said
    said = refused(main, [*arguments, str(tmp_path / "dangling")], capsys)
    assert "is a link to gone, which does not exist" in said
    assert tree(tmp_path) == before


@pytest.mark.parametrize("command", ["build", "train", "tune", "compare", "explain", "screen",
                                     "simulate", "data export"])  # fmt: skip
def test_a_folder_of_something_else(
    thesis: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    main, arguments = FOLDERS[command]
    before = tree(thesis)
    said = refused(main, [*arguments, str(thesis)], capsys)
    assert "is not an earlier" in said or "name a new or empty folder" in said
    assert tree(thesis) == before


def test_split_where_there_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "random-0").write_text("mine")
    said = refused(pipeline_cli.main, ["split", str(tmp_path), "--methods", "random"], capsys)
    assert "random-0: is a file; expected a folder to write" in said
    assert tree(tmp_path) == {"splits": None, "splits/random-0": b"mine"}


def test_every_command_with_an_output_is_tried() -> None:
    named = {name.split(".")[-1].split()[-1] for name in (*FILES, *FOLDERS)}
    for command in (*pipeline_cli.COMMANDS, *model_cli.COMMANDS):
        if "out" in {option.name for option in dataclasses.fields(command)}:
            assert command.__name__.lower() in named, command


def test_an_input_is_no_output(
    tmp_path: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "g.csv").write_text("genes\nYAL001C\n")
    given = ["predict", "--checkpoint", str(tiny_checkpoint)]
    csv = str(tmp_path / "g.csv")
    (tmp_path / "l.csv").symlink_to("g.csv")
    for out in (csv, str(tmp_path / "l.csv")):
        said = refused(model_cli.main, [*given, "--genotypes", csv, "--out", out], capsys)
        assert "is the file that is read; name another one" in said
    assert (tmp_path / "g.csv").read_text() == "genes\nYAL001C\n"


def test_a_build_is_no_record(tiny_build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (tiny_build / "ledger.json").read_bytes()
    arguments = ["--data", str(tiny_build), "--out", str(tiny_build / "ledger.json")]
    for main, more in ((model_cli.main, ["bench"]), (screen.main, [])):
        said = refused(main, [*more, *arguments], capsys)
        assert "is part of the build" in said
    assert (tiny_build / "ledger.json").read_bytes() == before


def test_a_file_is_written_through_a_link(tmp_path: Path, tiny_checkpoint: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "p.csv").write_text("before")
    (tmp_path / "p.csv").symlink_to("disk/p.csv")
    model_cli.main(["predict", "--checkpoint", str(tiny_checkpoint), "--genotypes", "YAL001C",
                    "--out", str(tmp_path / "p.csv")])  # fmt: skip
    assert (tmp_path / "p.csv").is_symlink()
    assert (tmp_path / "disk" / "p.csv").read_text().startswith('"genotype"') or (
        (tmp_path / "disk" / "p.csv").read_text().startswith("genotype")
    )
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["p.csv"]


def test_simulated_into_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["simulate.terms=30", "simulate.genes=80", "simulate.annotations=300",
             "simulate.queries=4", "simulate.arrays=40", "simulate.triples=100"]  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for folder, out in ((".", "."), ("a", "sub/.."), ("b", "../b")):
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        monkeypatch.chdir(place)
        pipeline_cli.main(["simulate", "--set", *small, "--out", out])
        assert (Path.cwd() / "ontology.obo").is_file()
        assert not [name for name in os.listdir(place) if name.startswith(".")]  # noqa: PTH208
        (place / "truth.json").write_text("mine now")
        said = refused(pipeline_cli.main, ["simulate", "--set", *small, "--out", out], capsys)
        assert "name a new or empty folder" in said
        said = refused(
            pipeline_cli.main, ["simulate", "--overwrite", "--set", *small, "--out", out], capsys
        )
        assert "cannot be replaced from within" in said
        assert (place / "truth.json").read_text() == "mine now"
        (place / "ontology.obo").unlink()


def test_messages_say_since_when(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [
        "screen",
        "--checkpoint",
        str(tiny_checkpoint),
        "--out",
        str(tmp_path / "s"),
        "--order",
    ]
    model_cli.main([*given, "2"])
    (tmp_path / "s" / "notes.txt").write_text("mine")
    (tmp_path / "s" / "genotypes.parquet" / "mine.parquet").write_text("mine")
    os.utime(tmp_path / "s" / "screen.json", (0, 0))
    said = refused(model_cli.main, [*given, "3"], capsys)
    assert "as it began (19" in said
    assert "--overwrite" in said
    model_cli.main([*given, "3", "--overwrite"])
    assert json.loads((tmp_path / "s" / "screen.json").read_text())["order"] == 3
    assert (tmp_path / "s" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "s" / "genotypes.parquet" / "mine.parquet").read_text() == "mine"
