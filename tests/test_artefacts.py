"""One tiny one of every version on disk so far: each is read, or one sentence says what to do.

They lie in `tests/artefacts`, made by the commits in their names; its README.md says how.
"""

import json
import re
import shlex
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import dcell_model.cli
import pipeline.cli
from tests.conftest import CHECKOUT

FOLDER = CHECKOUT / "tests" / "artefacts"
ARCHIVES = sorted(path.name.removesuffix(".tar.xz") for path in FOLDER.glob("*.tar.xz"))
READ = [name for name in ARCHIVES if int(name.split("-")[0]) >= 5]
REFUSED = [name for name in ARCHIVES if name not in READ]
LIMIT = 400_000  # bytes of all archives
CLOSE = {"rtol": 2e-4, "atol": 2e-5}  # single precision, on another machine

TO_ADD = (
    "no artefact in tests/artefacts for {}: commit the change, call `python "
    "tests/artefacts/make.py HEAD`, and commit what it wrote, with its row in "
    "tests/artefacts/README.md"
)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each archive; read only."""
    return {name: unpack(name, tmp_path_factory.mktemp(name)) for name in ARCHIVES}


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of one archive in `made`, below the present folder."""
    monkeypatch.chdir(tmp_path)
    unpack(request.param, Path("made"))
    return Path("made")


def unpack(name: str, folder: Path) -> Path:
    """What is in an archive."""
    with tarfile.open(FOLDER / f"{name}.tar.xz") as archive:
        # Python before 3.11.4 has no filters; the archives are our own.
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(folder, **safe)
    return folder


def called(made: Path, command: str) -> list[list[str]]:
    """The arguments of all calls of a command by which an archive was made."""
    calls = [shlex.split(line)[1:] for line in (made / "commands.txt").read_text().splitlines()]
    return [call for call in calls if call[0] == command]


def option(call: list[str], name: str) -> str:
    """The value of an option of a call."""
    return call[call.index(name) + 1]


def same(now: pl.DataFrame, then: pl.DataFrame) -> None:
    """Compare the columns that there were then."""
    assert len(now) == len(then)
    for name in set(then.columns) & set(now.columns):
        if then[name].dtype.is_float():
            found, expected = (own[name].to_numpy() for own in (now, then))
            np.testing.assert_allclose(found, expected, err_msg=name, **CLOSE)
        else:
            assert now[name].to_list() == then[name].to_list(), name


def refusal(program: Any, call: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line by which a command refuses."""
    with pytest.raises(SystemExit) as ended:
        program.main(call)
    said = capsys.readouterr().err or str(ended.value)
    lines = [line for line in said.splitlines() if not line.startswith("note:")]
    assert len(lines) == 1, said
    return lines[0]


# Versions


def written_now() -> dict[str, int]:
    """Every format that the sources write, with its version."""
    found: dict[str, int] = {}
    for package in ("data_specs", "pipeline", "dcell_model"):
        for path in sorted((CHECKOUT / package).rglob("*.py")):
            text = path.read_text()
            pairs = re.findall(r'"format": "(dcell-[\w-]+)",\s+"version": (\d+)', text)
            pairs += re.findall(r'^FORMAT, VERSION = "(dcell-[\w-]+)", (\d+)$', text, re.M)
            for version in re.findall(r"^(?:GRADED_)?VERSION = (\d+)$", text, re.M):
                names = sorted(set(re.findall(r"""["'](dcell-[\w-]+)["']""", text)))
                assert len(names) == 1, f"{path}: of which of {names} is VERSION?"
                pairs.append((names[0], version))
            found |= {name: int(version) for name, version in pairs}
    return found


def versions_in(folder: Path) -> Iterator[tuple[str, int]]:
    """Format and version of everything in an unpacked archive."""
    described: list[Any] = [json.loads(path.read_text()) for path in folder.rglob("*.json")]
    described += [torch.load(path, weights_only=True) for path in folder.rglob("*.pt")]
    for path in folder.rglob("*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            described.append(json.loads(str(arrays["checkpoint.json"])))
    if (folder / "build" / "store" / "data.mdb").is_file():  # its manifest lies in LMDB
        described.append({"format": "dcell-store", "version": 1})
    for values in described:
        if isinstance(values, dict) and str(values.get("format")).startswith("dcell-"):
            yield values["format"], values["version"]


def test_every_version_has_an_artefact(unpacked: dict[str, Path]) -> None:
    kept = {pair for folder in unpacked.values() for pair in versions_in(folder)}
    now = written_now()
    assert {name for name, _ in kept} <= now.keys(), "a format that no source names any more"
    ever = [(name, number) for name, last in now.items() for number in range(1, last + 1)]
    missing = [f"{name} version {number}" for name, number in ever if (name, number) not in kept]
    assert not missing, TO_ADD.format(", ".join(missing))


def test_the_sources_name_every_format() -> None:
    assert len(written_now()) >= 11, "the search for versions missed some"


def test_the_artefacts_are_small_and_told_of() -> None:
    told = (FOLDER / "README.md").read_text()
    assert not [name for name in ARCHIVES if f"`{name}`" not in told], "README.md lacks a row"
    assert sum(path.stat().st_size for path in FOLDER.glob("*.tar.xz")) < LIMIT


# What is read


@pytest.mark.parametrize("made", READ, indirect=True)
def test_a_build_is_shown_and_verified(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.cli.main(["verify", "made/build"])
    assert "FAIL" not in capsys.readouterr().out
    pipeline.cli.main(["show", "made/build", "--run", "made/run"])
    shown = capsys.readouterr().out
    assert "45 samples" in shown
    graph = json.loads((made / "build/cell_graph/cell_graph.json").read_text())
    assert graph["fingerprint"] in shown
    chain = shown[shown.index("chain of fingerprints") :].splitlines()[1:]
    assert len(chain) == 8
    assert all(line.endswith("fits") for line in chain)


@pytest.mark.parametrize("made", READ, indirect=True)
def test_states_and_channels_are_read(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Their predictions are among those of the next test."""
    for name, what in (("graded", "states of the genes"), ("cells", "of 2 channels each")):
        if not (made / name).is_dir():  # of a commit that knows neither
            continue
        pipeline.cli.main(["verify", f"made/{name}"])
        assert "FAIL" not in capsys.readouterr().out
        pipeline.cli.main(["show", f"made/{name}", "--run", f"made/{name}-run"])
        assert what in capsys.readouterr().out


@pytest.mark.parametrize("made", READ, indirect=True)
def test_predictions_are_those_of_then(made: Path) -> None:
    calls = called(made, "predict")
    assert calls
    for call in calls:
        recorded = Path(option(call, "--out"))
        dcell_model.cli.main([*call[:-1], "now.csv"])
        same(pl.read_csv("now.csv"), pl.read_csv(recorded))


@pytest.mark.parametrize("made", READ, indirect=True)
def test_a_run_goes_on_with_its_own_parameters(made: Path) -> None:
    """Losses of the second epoch are those that the run's own code had."""
    before = torch.load(made / "run/last.pt", weights_only=True)
    dcell_model.cli.main(
        ["train", "--data", "made/build", "--out", "made/run", "--resume", "--set",
         "train.epochs=2"]
    )  # fmt: skip
    after = torch.load(made / "run/last.pt", weights_only=True)
    then, now = (json.loads(state["parameters"]) for state in (before, after))
    for name, section in then.items():
        kept = {key: now[name][key] for key in section}
        changed = {"epochs": 2, "engine": "incremental"}  # once "auto"
        assert kept == section | (changed if name == "train" else {})
    assert now["train"]["calibrate"] == then["train"].get("calibrate", False)
    expected = json.loads((made / "resumed.json").read_text())["history"]
    assert len(after["history"]) == len(expected) == 2
    # Validation with statistics of its own once took a variance n / (n − 1) times as large.
    is_same = not then["train"].get("norm_samples", 0)
    for row, own in zip(after["history"], expected, strict=True):
        judged = ("val_loss", "val_pearson") if is_same or row["epoch"] == 1 else ()
        for key in ("train_loss", "lr", *judged):
            assert row[key] == pytest.approx(own[key], rel=1e-3, abs=1e-5), key


@pytest.mark.parametrize("made", READ, indirect=True)
def test_a_run_is_told_of(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dcell_model.cli.main(["summary", "--ledger", "made/build/ledger.json", "--run", "made/run"])
    assert "DCell" in capsys.readouterr().out
    report = ["report", "--data", "made/build", "--run", "made/run"]
    if "settings" in json.loads((made / "run/train.json").read_text()):
        dcell_model.cli.main(report)
        assert (made / "run/report.html").is_file()
    else:
        assert re.search(
            r"made/run/train.json: written by an earlier version, which did not note the run's "
            r"settings. Train again \(dcell train --data made/build",
            refusal(dcell_model.cli, report, capsys),
        )


@pytest.mark.parametrize("made", READ, indirect=True)
def test_a_screen_goes_on(made: Path) -> None:
    """After a kill, the rest of the folder is as before."""
    for call in called(made, "screen"):
        out = Path(option(call, "--out"))
        then = pl.read_parquet(sorted((out / "genotypes.parquet").iterdir()))
        (out / "genotypes.parquet" / "00001.parquet").unlink()
        (out / "summary.json").unlink()
        dcell_model.cli.main(call)
        same(pl.read_parquet(sorted((out / "genotypes.parquet").iterdir())), then)
        assert (out / "summary.json").is_file()


@pytest.mark.parametrize("made", READ, indirect=True)
def test_an_explanation_is_made_again(made: Path, request: pytest.FixtureRequest) -> None:
    (call,) = called(made, "explain")
    then, table = json.loads((made / "explained/explain.json").read_text()), made / "explained"
    scores = pl.read_parquet(table / "importance.parquet")
    dcell_model.cli.main([*call, "--overwrite"])
    now = json.loads((made / "explained/explain.json").read_text())
    assert {key: now[key] for key in then} == then
    if request.node.callspec.params["made"] == "5-8539235":  # judged otherwise since
        scores = scores.drop(pl.selectors.starts_with("gradient_input", "ablation"))
    same(pl.read_parquet(table / "importance.parquet"), scores)


@pytest.mark.parametrize("made", READ, indirect=True)
def test_an_archive_of_terms_is_imported(made: Path) -> None:
    dcell_model.cli.main(["import", "--parameters", "made/run.npz", "--out", "made/imported.pt"])
    call = called(made, "predict")[0]
    call[call.index("--checkpoint") + 1] = "made/imported.pt"
    dcell_model.cli.main([*call[:-1], "now.csv"])
    same(pl.read_csv("now.csv"), pl.read_csv("made/predicted.csv"))


@pytest.mark.parametrize("made", READ, indirect=True)
def test_a_dango_predicts_as_it_did(made: Path) -> None:
    then = pl.read_parquet("made/dango/predictions.parquet")
    dcell_model.cli.main(["train", "--data", "made/build", "--out", "made/dango", "--resume"])
    now = pl.read_parquet("made/dango/predictions.parquet")
    same(now.select("sample", "fitness_predicted"), then.select("sample", "fitness_predicted"))


# What is refused


@pytest.mark.parametrize("made", REFUSED, indirect=True)
@pytest.mark.parametrize(
    ("program", "call", "said"),
    [
        ("data", "show made/build", r"version \['dcell-cell-graph', [12]\]; expected .* version 3. "
         r"Build the data again .*dcell-data build --overwrite"),
        ("data", "verify made/build", "made/build: [123] checks failed; build it again"),
        ("dcell", "predict --checkpoint made/run --genotypes YAL001C",
         r"checkpoint version [1-4]; expected 7, or 5 to 6.*train again \(dcell train"),
        ("dcell", "screen --checkpoint made/run --order 2 --out made/screen",
         r"checkpoint version [1-4]; expected 7.*train again \(dcell train"),
        ("dcell", "explain --checkpoint made/run --data made/build --out made/explained",
         "version [1-4].* again"),
        ("dcell", "export --checkpoint made/run --out made/run.npz",
         r"checkpoint version [1-4]; expected 7.*train again \(dcell train"),
        ("dcell", "train --data made/build --out made/run --resume",
         r"checkpoint version [1-4]; expected 7.*train again \(dcell train"),
        ("dcell", "train --data made/build --out made/other",
         "version .*[12].*Build the data again"),
        ("dcell", "report --data made/build --run made/run",
         "written by an earlier version.*Train again"),
    ],
)  # fmt: skip
def test_what_is_not_read_any_more_is_called_what_it_is(
    made: Path, program: str, call: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    by = pipeline.cli if program == "data" else dcell_model.cli
    assert re.search(said, refusal(by, call.split(), capsys))


@pytest.mark.parametrize("made", ["1-f9dd14b", "2-83bc760"], indirect=True)
def test_a_store_of_one_file_is_called_what_it_is(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        pipeline.cli.main(["verify", "made/build"])
    assert "FAIL  store: made/build/store: store version 1" in capsys.readouterr().out


@pytest.mark.parametrize("made", READ, indirect=True)
def test_a_tuning_goes_on_or_is_refused(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of version 1, where the defaults of its trials are not noted, in one sentence."""
    for call in called(made, "tune"):
        version = json.loads((made / "tuning/dcell-tune.json").read_text())["version"]
        if version == 1:
            said = refusal(dcell_model.cli, call, capsys)
            assert "holds a search of version 1; expected 2" in said
        else:
            dcell_model.cli.main(call)
            assert "kept: 1 trials done" in capsys.readouterr().out


@pytest.mark.parametrize("made", READ, indirect=True)
def test_a_comparison_is_kept_or_refused(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was made with other defaults does not stand beside what would be made now."""
    (call,) = called(made, "compare")
    shutil.rmtree(made / "comparison/random-0/mean", ignore_errors=True)
    if made_with_defaults_of_now(made):
        dcell_model.cli.main(call)
        assert "(kept)" in capsys.readouterr().out
    else:
        assert re.search(
            r"result.json: was made with \S+=.*, now it is .*; name another folder, or remove",
            refusal(dcell_model.cli, call, capsys),
        )


def made_with_defaults_of_now(made: Path) -> bool:
    """Whether nothing is otherwise in an older result than what defaults say now."""
    from data_specs.parameters import resolve

    given = {"train": {"epochs": 1}, "model": {"width_min": 2}}
    now = resolve(given).to_dict()
    before = json.loads((made / "comparison/random-0/dcell/result.json").read_text())["made_with"]
    return all(
        before.get(f"{section}.{key}") == value
        for section in ("model", "train")
        for key, value in now[section].items()
    )
