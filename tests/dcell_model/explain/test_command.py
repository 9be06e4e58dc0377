"""`dcell explain` from the command line, on the tiny build."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data_specs.chain import MADE_FROM
from data_specs.errors import ArtefactError, InputError
from data_specs.layout import read_json
from data_specs.parameters.sections import resolve
from dcell_model import train
from dcell_model.cli import main
from dcell_model.explain import command as explain
from dcell_model.explain.terminal import strongest


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_build: Path) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    given = {
        "train": {"epochs": 2, "batch_size": 16, "decay": 0},  # weights that explain something
        "model": {"width_min": 4, "norm_order": "act_norm"},
    }
    train.run(tiny_build, out, resolve(given))
    return out / "checkpoint.pt"


def command(trained: Path, data: Path, out: Path, *more: str) -> None:
    main(["explain", "--checkpoint", str(trained), "--data", str(data), "--out", str(out),
          "--permutations", "9", "--min-samples", "4", *more])  # fmt: skip


def test_table_plots_and_report(
    trained: Path, tiny_build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("COLUMNS", "80")
    for name in "ab":
        command(trained, tiny_build, tmp_path / name)
    shown = capsys.readouterr().out
    assert max(map(len, shown.replace(str(tmp_path), "").splitlines())) <= 80
    files = ["explain.json", "importance.parquet", "plots/rlipp.png", "plots/top.png"]
    for file in files:  # two runs, the same bytes
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    table = pq.read_table(tmp_path / "a" / "importance.parquet")
    description = read_json(tmp_path / "a" / "explain.json")
    assert description["judged"] + sum(description["not_judged"].values()) == len(table)
    assert MADE_FROM in table.schema.metadata
    best = strongest(table, 3)
    assert all(row["stratum"] > 0 for row in best)
    assert best == sorted(best, key=lambda row: -row["ablation"])
    assert best[0]["term"] in shown
    again = ("--part", "val", "--min-samples", "1000")
    with pytest.raises(SystemExit):
        command(trained, tiny_build, tmp_path / "a", *again)
    assert "holds an explanation (importance.parquet), written 20" in capsys.readouterr().err
    command(trained, tiny_build, tmp_path / "a", "--overwrite", *again)
    assert "0 of" in capsys.readouterr().out  # and the plots say that there is nothing


def test_some_terms(trained: Path, tiny_build: Path, tmp_path: Path) -> None:
    every = tmp_path / "every"
    command(trained, tiny_build, every)
    table = pq.read_table(every / "importance.parquet")
    row = table.to_pylist()[2]
    command(trained, tiny_build, tmp_path / "few", "--terms", row["term"], row["name"])
    (few,) = pq.read_table(tmp_path / "few" / "importance.parquet").to_pylist()
    assert {k: v for k, v in few.items() if not k.endswith("_fdr")} == {
        k: v for k, v in row.items() if not k.endswith("_fdr")
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"phenotype": "size"}, "no phenotype 'size'"),
        ({"terms": ["GO:9"]}, "no term 'GO:9'"),
    ],
)
def test_what_does_not_fit_is_refused(
    trained: Path, tiny_build: Path, tmp_path: Path, given: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        explain.run(trained, tiny_build, tmp_path / "out", **given)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_other_data_are_refused(trained: Path, tiny_build: Path, tmp_path: Path) -> None:
    import shutil

    other = shutil.copytree(tiny_build, tmp_path / "other")
    link = other / "split" / "link.json"
    digest = read_json(link)["digest"]
    link.write_text(link.read_text().replace(digest, "0" * len(digest)))
    with pytest.raises(ArtefactError, match="another split"):
        explain.run(trained, other, tmp_path / "out")


def test_a_folder_of_something_else_is_refused(
    trained: Path, tiny_build: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not an earlier explanation"):
        explain.run(trained, tiny_build, tmp_path)
